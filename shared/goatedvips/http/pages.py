"""HTML pages that the API itself serves; each runs its own script and nothing else."""

import base64
import hashlib
import html
import re
from pathlib import Path
from string import Template

from aws_lambda_powertools.event_handler import Response

from goatedvips.errors import NotFound
from goatedvips.http.problems import explanation, problem_by_code

_PAGE = Template(Path(__file__).with_name("page.html").read_text("utf-8"))
_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}


def html_page(title: str, body: str, *, status: int = 200, has_form: bool = False) -> Response[str]:
    """Return a page whose Content-Security-Policy allows only its inline script and style (CSP level 3, section 2.3.1).

    Parameters
    ----------
    title: plain text.
    body: HTML, everything in it escaped that comes from elsewhere; at most one `<script>`.
    has_form: whether the browser itself may send a form of the page, to this API only.
    """
    text = _PAGE.substitute(title=html.escape(title), body=body)
    sources = " ".join(f"{tag}-src {_hashes(tag, text)};" for tag in ("script", "style"))
    forms = "'self'" if has_form else "'none'"
    policy = (
        f"default-src 'none'; {sources} connect-src 'self'; base-uri 'none'; form-action {forms};"
        " frame-ancestors 'none'"
    )
    return Response(status, "text/html; charset=utf-8", text, headers=_HEADERS | {"Content-Security-Policy": policy})


def problem_page(code: str, *, status: int = 200) -> Response[str]:
    """Return the page that explains a problem, to which the `type` of its problem documents leads.

    Raises
    ------
    NotFound: no problem has this code.
    """
    kind = problem_by_code().get(code)
    if kind is None:
        raise NotFound
    meaning = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(explanation(kind)))
    title = html.escape(kind.title)
    body = f"<main>\n<h1>{title}</h1>\n<p><code>{code}</code>, {kind.status}</p>\n<p>{meaning}</p>\n</main>\n"
    return html_page(kind.title, body, status=status)


def _hashes(tag: str, text: str) -> str:
    """Return the sources that allow the inline elements of a tag: their hashes, or `'none'`."""
    contents = re.findall(rf"(?s)<{tag}>(.*?)</{tag}>", text)
    digests = [base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() for content in contents]
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
