"""GET /verify, GET /reset and GET /newsletter/confirm: where links in mail lead when there is no front end.

A page changes nothing until its button is pressed, because mail scanners open links too. The token stands behind the
`#` of the link; browsers do not send that part, so no log contains it.
"""

import json
from pathlib import Path
from string import Template

from goatedvips.http import HttpApi, Response, lambda_handler
from goatedvips.http.pages import html_page

BODY = Template(Path(__file__).with_suffix(".html").read_text("utf-8"))
TEXTS = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))

api = HttpApi("anyone")


@api.route("/verify", method=["GET", "HEAD"], include_in_schema=False)
@api.route("/reset", method=["GET", "HEAD"], include_in_schema=False)
@api.route("/newsletter/confirm", method=["GET", "HEAD"], include_in_schema=False)
def show_page() -> Response[str]:
    texts = TEXTS[api.current_event.path]
    return html_page(texts["heading"], BODY.substitute(texts))


handler = lambda_handler(api)
