"""A stand-in for Amazon SES: it accepts mail from functions, and shows it at /mail instead of delivering it."""

import html
import re
import threading
import uuid
from collections import deque
from dataclasses import asdict

from flask import Flask, Response, jsonify, request

from local.stand_ins.ses import Mail, RefusalError, accept

MOST_MAILS = 10_000
"""How many messages are stored; then the oldest is removed."""
LINK = re.compile(r"https?://[^\s<>\"']+")
PAGE = """<!doctype html><meta charset="utf-8"><title>Caught mail</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}}
article{{border:1px solid #8886;border-radius:6px;padding:.5rem 1rem;margin:1rem 0}}
pre{{white-space:pre-wrap;overflow-wrap:anywhere;font:inherit}}small{{color:#777}}</style>
<h1>Caught mail</h1>
<p>{count}. Nothing leaves this machine. The same as JSON: <a href="/mail.json">/mail.json</a></p>{mails}"""


class Mailbox:
    """The messages since the start, newest first."""

    def __init__(self) -> None:
        """Start with an empty mailbox."""
        self._mails: deque[Mail] = deque(maxlen=MOST_MAILS)
        self._lock = threading.Lock()

    def add(self, mail: Mail) -> None:
        """Add a message."""
        with self._lock:
            self._mails.appendleft(mail)

    def find(self, recipient: str | None = None) -> list[Mail]:
        """Return the messages to a recipient, ignoring case; all messages if there is none."""
        with self._lock:
            mails = list(self._mails)
        return mails if not recipient else [mail for mail in mails if mail.to.lower() == recipient.lower()]


def serve(app: Flask, mailbox: Mailbox) -> None:
    """Add the route of SES's `SendEmail`, and the two pages that show the messages."""

    @app.post("/v2/email/outbound-emails")
    def send() -> tuple[Response, int] | Response:
        try:
            mails = accept(request.get_json(force=True))
        except RefusalError as error:
            answer = jsonify(message=str(error))
            answer.headers["x-amzn-ErrorType"] = "BadRequestException"
            return answer, 400
        for mail in mails:
            mailbox.add(mail)
        return jsonify(MessageId=str(uuid.uuid4()))

    @app.get("/mail.json")
    def as_json() -> Response:
        return jsonify(items=[asdict(mail) for mail in mailbox.find(request.args.get("to"))])

    @app.get("/mail")
    def as_page() -> str:
        return render_page(mailbox.find(request.args.get("to")))


def render_page(mails: list[Mail]) -> str:
    """Return the page. All text is escaped, because it comes from outside; HTML bodies are shown as source."""
    shown = "".join(
        f"<article><small>to {html.escape(mail.to)}</small><h2>{html.escape(mail.subject)}</h2>"
        f"<pre>{link_urls(mail.text or mail.html)}</pre></article>"
        for mail in mails[:200]
    )
    return PAGE.format(count=f"{len(mails)} message{'' if len(mails) == 1 else 's'}", mails=shown)


def link_urls(text: str) -> str:
    """Escape a text, and turn its URLs into links."""
    parts, end = [], 0
    for match in LINK.finditer(text):
        link = html.escape(match[0].rstrip(".,;:)"))
        parts += [html.escape(text[end : match.start()]), f'<a href="{link}">{link}</a>']
        end = match.start() + len(match[0].rstrip(".,;:)"))
    return "".join([*parts, html.escape(text[end:])])
