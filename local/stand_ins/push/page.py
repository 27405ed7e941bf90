"""The page /push: the push messages that came."""

import html
import json
from collections.abc import Sequence

from local.stand_ins.push.service import Caught

MOST_SHOWN = 200
PAGE = """<!doctype html><meta charset="utf-8"><title>Caught push messages</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}}
article{{border:1px solid #8886;border-radius:6px;padding:.5rem 1rem;margin:1rem 0}}
pre{{white-space:pre-wrap;overflow-wrap:anywhere}}small{{color:#777;overflow-wrap:anywhere}}</style>
<h1>Caught push messages</h1>
<p>{count}. Nothing leaves this machine. The same as JSON: <a href="/push.json">/push.json</a></p>{messages}"""


def render(caught: Sequence[Caught]) -> str:
    """Return the page. All text is escaped, because it comes from outside."""
    shown = "".join(map(_render, caught[:MOST_SHOWN]))
    return PAGE.format(count=f"{len(caught)} message{'' if len(caught) == 1 else 's'}", messages=shown)


def _render(caught: Caught) -> str:
    message = caught.message if isinstance(caught.message, dict) else {}
    shown = message.get("notification")
    notification = shown if isinstance(shown, dict) else {}
    title, body = (str(notification.get(name, "")) for name in ("title", "body"))
    figures = [f"{name} {caught.headers[name]}" for name in ("ttl", "topic", "urgency") if name in caught.headers]
    head = ", ".join([f"answered {caught.status}", *figures])
    text = json.dumps(caught.message, indent=2, ensure_ascii=False) if message else "encrypted for another browser"
    return (
        f"<article><small>{html.escape(caught.endpoint)}<br>{html.escape(head)}</small>"
        f"<h2>{html.escape(title)}</h2><p>{html.escape(caught.reason or body)}</p>"
        f"<details><summary>Message</summary><pre>{html.escape(text)}</pre></details></article>"
    )
