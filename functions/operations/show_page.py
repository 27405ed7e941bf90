"""GET /verify, GET /reset and GET /newsletter/confirm: the pages that links in mail open if no front end is configured.

Opening a page changes nothing, because mail scanners open links too; pressing its button does. The token is in the
fragment (`#token=…`), which browsers do not send, so no log contains it.
"""

import base64
import hashlib
import json
import re
from pathlib import Path
from string import Template

from aws_lambda_powertools.event_handler import Response

from goatedvips.http import HttpApi, lambda_handler

HTML = Path(__file__).with_suffix(".html").read_text("utf-8")
TEXTS = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
# The policy allows the page's own script and style by their hashes, and nothing else (CSP level 3, section 2.3.1).
SCRIPT, STYLE = (
    base64.b64encode(hashlib.sha256(re.findall(rf"(?s)<{tag}>(.*)</{tag}>", HTML)[0].encode()).digest()).decode()
    for tag in ("script", "style")
)
POLICY = f"default-src 'none'; script-src 'sha256-{SCRIPT}'; style-src 'sha256-{STYLE}'; connect-src 'self'; "
POLICY += "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}

api = HttpApi("anyone")


@api.get("/verify", include_in_schema=False)
@api.get("/reset", include_in_schema=False)
@api.get("/newsletter/confirm", include_in_schema=False)
def show_page() -> Response[str]:
    page = Template(HTML).substitute(TEXTS[api.current_event.path])
    return Response(200, "text/html; charset=utf-8", page, headers=HEADERS | {"Content-Security-Policy": POLICY})


handler = lambda_handler(api)
