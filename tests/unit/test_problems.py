"""Every problem is explained to front ends, and no other."""

import re
from collections.abc import Iterator
from pathlib import Path

from goatedvips.errors import Problem

PAGE = Path(__file__).parents[2] / "docs" / "problems.md"


def kinds(kind: type[Problem] = Problem) -> Iterator[type[Problem]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from kinds(narrower)


def test_the_page_explains_each_code_with_its_status() -> None:
    explained = {
        (code, int(status)) for code, status in re.findall(r"^\| `(\w+)` \| (\d+) \|", PAGE.read_text(), re.MULTILINE)
    }
    assert explained == {(kind.code, kind.status) for kind in kinds()}


def test_no_two_problems_share_a_code() -> None:
    defined = [kind.code for kind in kinds() if "code" in vars(kind)]
    assert len(defined) == len(set(defined))
