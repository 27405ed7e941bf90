"""Every problem is explained to front ends."""

from goatedvips.errors import ConnectionLost, Problem
from goatedvips.http.problems import explanation, problem_by_code


def test_every_problem_has_a_status_a_title_and_an_explanation() -> None:
    kinds = problem_by_code()
    assert len(kinds) > 30
    for code, kind in kinds.items():
        assert kind.code == code
        assert 400 <= kind.status < 600
        assert kind.title
        assert explanation(kind).endswith("."), code


def test_no_two_problems_share_a_code() -> None:
    assert len(problem_by_code()) == len(Problem.__subclasses__())


def test_a_narrower_problem_is_answered_as_the_one_that_it_narrows() -> None:
    assert problem_by_code()[ConnectionLost.code] is ConnectionLost.__mro__[1]
