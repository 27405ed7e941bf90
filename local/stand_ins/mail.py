"""A stand-in for Amazon SES: it accepts mail from functions, and shows it at /mail instead of delivering it."""

import html
import re
import threading
import uuid
from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import NotFound

from local.stand_ins.octets import octets
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


@dataclass(frozen=True)
class Caught:
    """A message, and what SES would have added."""

    message_id: str
    sent_at: datetime
    mail: Mail


class Mailbox:
    """The messages since the start, newest first."""

    def __init__(self) -> None:
        """Start with an empty mailbox."""
        self._caught: deque[Caught] = deque(maxlen=MOST_MAILS)
        self._lock = threading.Lock()

    def add(self, mail: Mail, message_id: str) -> None:
        """Add a message."""
        with self._lock:
            self._caught.appendleft(Caught(message_id, datetime.now(UTC), mail))

    def find(self, recipient: str | None = None) -> list[Caught]:
        """Return the messages to a recipient, ignoring case; all messages if there is none."""
        with self._lock:
            caught = list(self._caught)
        return caught if not recipient else [one for one in caught if one.mail.to.lower() == recipient.lower()]


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
        message_id = str(uuid.uuid4())
        for mail in mails:
            mailbox.add(mail, message_id)
        return jsonify(MessageId=message_id)

    @app.get("/mail.json")
    def as_json() -> Response:
        return jsonify(items=[asdict(caught.mail) for caught in mailbox.find(request.args.get("to"))])

    @app.get("/mail/<message_id>.eml")
    def as_octets(message_id: str) -> Response:
        caught = next((one for one in mailbox.find() if one.message_id == message_id), None)
        if caught is None:
            raise NotFound
        return Response(octets(caught.mail, caught.message_id, caught.sent_at), mimetype="message/rfc822")

    @app.get("/mail")
    def as_page() -> str:
        return render_page(mailbox.find(request.args.get("to")))


def render_page(caught: list[Caught]) -> str:
    """Return the page. All text is escaped, because it comes from outside; HTML bodies are shown as source."""
    shown = "".join(map(render_mail, caught[:200]))
    return PAGE.format(count=f"{len(caught)} message{'' if len(caught) == 1 else 's'}", mails=shown)


def render_mail(caught: Caught) -> str:
    """Return a message: what its reader sees, and its header as it is sent."""
    mail = caught.mail
    head, _, _ = octets(mail, caught.message_id, caught.sent_at).partition(b"\r\n\r\n")
    return (
        f"<article><small>to {html.escape(mail.to)}</small><h2>{html.escape(mail.subject)}</h2>"
        f"<pre>{link_urls(mail.text or mail.html)}</pre>"
        f"<details><summary>Header</summary><pre>{html.escape(head.decode('utf-8', 'replace'))}</pre>"
        f'<a href="/mail/{caught.message_id}.eml">All octets</a></details></article>'
    )


def link_urls(text: str) -> str:
    """Escape a text, and turn its URLs into links."""
    parts, end = [], 0
    for match in LINK.finditer(text):
        link = html.escape(match[0].rstrip(".,;:)"))
        parts += [html.escape(text[end : match.start()]), f'<a href="{link}">{link}</a>']
        end = match.start() + len(match[0].rstrip(".,;:)"))
    return "".join([*parts, html.escape(text[end:])])
