"""Each audited action is declared as about a member or about no member; members see those about them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from goatedvips.domain.audit import ABOUT_MEMBERS, ABOUT_NO_MEMBER
from migrations.routines import REDACT_AUDIT_LOG

ROOT = Path(__file__).parents[2]


def recorded() -> Iterator[str]:
    """Every action that a statement of the domain records."""
    files = list((ROOT / "shared/goatedvips/domain").rglob("*.py"))
    assert len(files) >= 40
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("audit.recorded", "recorded"):
                action = ast.literal_eval(node.args[0])
                assert isinstance(action, str)
                yield action


def redacted() -> set[str]:
    """The actions that `redact_audit_log` takes the texts out of."""
    conditions = re.findall(r"\baction (?:= '\w+'|IN \([^)]*\))", REDACT_AUDIT_LOG)
    return {action for condition in conditions for action in re.findall(r"'(\w+)'", condition)}


def test_every_action_is_about_members_or_about_none() -> None:
    actions = set(recorded())
    assert len(actions) >= 4
    assert actions <= ABOUT_MEMBERS.keys() | ABOUT_NO_MEMBER
    assert not ABOUT_MEMBERS.keys() & ABOUT_NO_MEMBER


def test_an_erasure_takes_the_texts_out_of_all_that_is_about_members() -> None:
    assert redacted() == ABOUT_MEMBERS.keys()
