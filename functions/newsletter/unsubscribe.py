"""GET and POST /v1/newsletter/unsubscribe: the page that a mail leads to; its button, or one click (RFC 8058)."""

import json
from html import escape
from pathlib import Path
from string import Template

from goatedvips.clock import utc_now
from goatedvips.db import reading, transaction
from goatedvips.domain.newsletter import unsubscribing
from goatedvips.domain.notifications.unsubscribe_tokens import UnsubscribeToken
from goatedvips.http import HttpApi, Response, lambda_handler
from goatedvips.http.pages import html_page

ASK, DONE, AGAIN = (Path(__file__).with_suffix(f".{part}.html").read_text("utf-8") for part in ("ask", "done", "again"))
TEXTS = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))

api = HttpApi("anyone", page=True)


@api.route("/v1/newsletter/unsubscribe", method=["GET", "HEAD"], include_in_schema=False)
def ask(token: str = "") -> Response[str]:  # it changes nothing, because mail scanners open links too
    with reading() as connection:
        return page(ASK, unsubscribing.read_token(connection, token))


@api.post("/v1/newsletter/unsubscribe", include_in_schema=False)
def unsubscribe(token: str = "") -> Response[str]:
    with transaction() as connection:
        return page(DONE, unsubscribing.unsubscribe(connection, token, now=utc_now()))


def page(body: str, token: UnsubscribeToken) -> Response[str]:
    texts = {"email": escape(unsubscribing.mask(token.email)), "again": AGAIN} | TEXTS[token.mail_list]
    return html_page("Unsubscribe", Template(body).substitute(texts), has_form=True)


handler = lambda_handler(api)
