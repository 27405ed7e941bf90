"""Field types that several domains share."""

import subprocess
import sys

import pytest
from pydantic import TypeAdapter, ValidationError

from goatedvips.validators.accounts.links import LinkDecision
from goatedvips.validators.fields import Email
from goatedvips.validators.members.changes import MemberUpdate
from tests.support.functions import ROOT

BLANK = ["\u200b", "\u2060\ufeff", "\u3164", "\u115f\u1160", "\u2800", "\u00ad", "\ufe0f", "\u034f", " \u00a0\u200b"]
BIDIRECTIONAL = [f"safe {chr(code)}text" for code in (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2066, 0x2069)]


@pytest.mark.parametrize("text", BLANK + BIDIRECTIONAL, ids=ascii)
def test_a_line_without_a_visible_character_or_with_a_bidirectional_control_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="reason"):
        LinkDecision(decision="refused", reason=text)
    with pytest.raises(ValidationError, match="reason"):
        MemberUpdate(suspended=True, reason=text)


@pytest.mark.parametrize("text", ["No.", "é", "🐐", "👨\u200d👩\u200d👧", "שלום", "नमस्ते", "❤️", "a\nb"], ids=ascii)
def test_a_line_in_any_script_is_kept(text: str) -> None:
    assert LinkDecision(decision="refused", reason=text).reason == text


@pytest.mark.parametrize(
    "email",
    [
        "a@b.de",
        "A.b+c'd@Sub.Example.COM",
        "x@xn--bcher-kva.example",
        "1@1.2.io",
        "a@r3---x.example",
        "a@a" + "b" * 62 + ".de",
    ],
)
def test_a_plain_ascii_address_keeps_its_spelling(email: str) -> None:
    assert TypeAdapter(Email).validate_python(email) == email


def test_idna_is_not_imported_for_plain_ascii_addresses() -> None:
    program = (
        "import sys; from pydantic import TypeAdapter; from goatedvips.validators.fields import Email; "
        "email = TypeAdapter(Email).validate_python; email('goat@example.com'); before = 'idna' in sys.modules; "
        "email('goat@bücher.example'); print(before, 'idna' in sys.modules)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / "shared")},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    assert printed.split() == ["False", "True"]
