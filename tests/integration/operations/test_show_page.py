"""The pages that links in mail open."""

import base64
import hashlib
import re

import pytest

from tests.support.functions import Functions


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/verify", "/v1/email-verifications/confirm"),
        ("/reset", "/v1/password-resets/confirm"),
        ("/newsletter/confirm", "/v1/newsletter/confirmations"),
    ],
)
def test_the_policy_of_a_page_allows_only_its_own_script_and_style(
    functions: Functions, path: str, endpoint: str
) -> None:
    answer = functions.call("show_page", path=path)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.text.startswith("<!doctype html>")
    assert f'data-endpoint="{endpoint}"' in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        (content,) = re.findall(f"<{tag}[^>]*>(.*?)</{tag}>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not re.search(r"\son\w+=|style=|src=|https?://|\$", answer.text)


def test_the_page_contains_nothing_of_the_request(functions: Functions) -> None:
    plain = functions.call("show_page", path="/verify").text
    assert functions.call("show_page", path="/verify", query={"token": "<script>alert(1)</script>"}).text == plain


def test_another_path_is_not_found(functions: Functions) -> None:
    assert functions.call("show_page", path="/resets").status == 404


@pytest.mark.parametrize("path", ["/verify", "/reset", "/newsletter/confirm"])
def test_head_answers_what_get_does_without_the_page(functions: Functions, path: str) -> None:
    """Mail scanners and link checkers send it."""
    shown, looked_at = (functions.call("show_page", path=path, method=method) for method in ("GET", "HEAD"))
    assert (looked_at.status, looked_at.text) == (200, "")
    assert looked_at.headers == shown.headers | {"X-Request-Id": looked_at.headers["X-Request-Id"]}
