"""Who is ranked is decided by what holds when the settlement takes the race: set by the functions themselves."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.arena import MINUTE, SETTLED_AT, Arena
from tests.support.credentials import PASSWORD, STORED
from tests.support.functions import Functions
from tests.support.members import Member, Members
from tests.support.races import END

type Act = Callable[["Scene"], int]
AFTER_END = END + MINUTE
FIRST, SECOND = Decimal("50.01"), Decimal("30.00")


class Scene:
    """A race of three that has ended, and the winner, to whom something happens before or after the settlement."""

    def __init__(self, arena: Arena, functions: Functions, members: Members) -> None:
        self.arena, self.functions, self.members = arena, functions, members
        self.staff = members.staff()
        self.race_id, (self.winner, self.second, self.third) = arena.ended("90", "50", "40")
        members.change(self.winner, password=STORED)

    def call(self, name: str, by: Member, now: datetime = AFTER_END, **changes: Any) -> int:
        """Call a function that must succeed, and return its status."""
        answer = self.functions.call(name, by=by, now=now, **changes)
        assert answer.status < 300, answer.text
        return answer.status

    def update_winner(self, **body: Any) -> int:
        """Let staff change the winner."""
        path = f"/v1/admin/members/{self.winner.id}"
        return self.call("update_member", self.staff, path=path, body=body)

    def disqualify(self) -> int:
        """Let staff disqualify the winner."""
        path = f"/v1/admin/races/{self.race_id}/participants/{self.winner.id}"
        return self.call("update_participant", self.staff, path=path, body={"disqualified": True, "reason": "Two."})

    def settle(self, now: datetime = SETTLED_AT) -> Any:
        """Settle the race, and return the report."""
        path = f"/v1/admin/races/{self.race_id}/settlement"
        return self.functions.call("settle_race", by=self.staff, now=now, path=path, body={}).json


@pytest.fixture
def scene(arena: Arena, functions: Functions, members: Members) -> Scene:
    return Scene(arena, functions, members)


def exclude(before_end: timedelta) -> Act:
    return lambda scene: scene.call("exclude_me", scene.winner, END - before_end, body={"days": 9})


OUT: dict[str, Act] = {
    "disqualified": lambda scene: scene.disqualify(),
    "suspended": lambda scene: scene.update_winner(suspended=True, reason="Fraud."),
    "staff": lambda scene: scene.update_winner(is_admin=True),
    "excluded before the end": exclude(timedelta(microseconds=1)),
    "erased": lambda scene: scene.call("erase_me", scene.winner, body={"password": PASSWORD}),
}
STAYS: dict[str, Act] = {
    "nothing": lambda _: 200,
    "excluded at the end": exclude(timedelta(0)),
    "excluded after the end": exclude(-MINUTE),
    "an exclusion that has ended": lambda scene: (
        scene.call("exclude_me", scene.winner, END - timedelta(days=2), body={"days": 1})
        + scene.call("end_exclusion", scene.winner, AFTER_END)
    ),
    "hidden": lambda scene: scene.call("update_me", scene.winner, body={"hide_name": True}),
}


@pytest.mark.parametrize("mark", OUT)
def test_who_is_marked_before_the_settlement_has_no_rank_and_the_others_move_up(scene: Scene, mark: str) -> None:
    OUT[mark](scene)
    report = scene.settle()
    ranks = {standing["user_id"]: standing["rank"] for standing in report["standings"]}
    assert (ranks.get(scene.winner.id), ranks[scene.second.id], ranks[scene.third.id]) == (None, 1, 2)
    assert scene.arena.rewards(scene.race_id) == {scene.second.id: FIRST, scene.third.id: SECOND}
    rows = {row.user_id: row.rank for row in scene.arena.races.participants(scene.race_id)}
    assert rows.get(scene.winner.id) is None


@pytest.mark.parametrize("event", STAYS)
def test_what_is_no_mark_leaves_the_winner_in_place(scene: Scene, event: str) -> None:
    STAYS[event](scene)
    report = scene.settle()
    ranks = {standing["user_id"]: standing["rank"] for standing in report["standings"]}
    assert (ranks[scene.winner.id], ranks[scene.second.id]) == (1, 2)
    assert scene.arena.rewards(scene.race_id)[scene.winner.id] == FIRST


@pytest.mark.parametrize("mark", [mark for mark in OUT if mark != "disqualified"])
def test_a_mark_after_the_settlement_changes_no_result(scene: Scene, mark: str) -> None:
    report = scene.settle()
    OUT[mark](scene)
    assert scene.arena.rewards(scene.race_id)[scene.winner.id] == FIRST
    (row,) = (row for row in scene.arena.races.participants(scene.race_id) if row.user_id == scene.winner.id)
    assert (row.rank, row.total_wager) == (1, 90)
    again = scene.settle(SETTLED_AT + timedelta(days=3))
    assert again["standings"] == report["standings"]


@pytest.mark.parametrize(("mark", "reason"), [("staff", "staff"), ("excluded before the end", "excluded")])
def test_the_reason_stays_that_of_the_settlement(scene: Scene, mark: str, reason: str) -> None:
    OUT[mark](scene)
    scene.settle()
    scene.members.change(scene.winner, is_admin=False, excluded_until=None)
    path = f"/v1/races/{scene.race_id}/standing"
    standing = scene.functions.call("get_standing", by=scene.winner, now=SETTLED_AT, path=path).json
    assert (standing["rank"], standing["unranked_reason"]) == (None, reason)


def test_a_settled_race_disqualifies_nobody(scene: Scene) -> None:
    scene.settle()
    path = f"/v1/admin/races/{scene.race_id}/participants/{scene.winner.id}"
    body = {"disqualified": True, "reason": "Too late."}
    refused = scene.functions.call("update_participant", by=scene.staff, now=SETTLED_AT, path=path, body=body)
    assert (refused.status, refused.json["code"]) == (409, "race_settled")


def test_the_report_names_the_disqualified_and_the_own_standing_says_it(scene: Scene) -> None:
    scene.disqualify()
    assert scene.settle()["disqualified"] == [scene.winner.id]
    path = f"/v1/races/{scene.race_id}/standing"
    standing = scene.functions.call("get_standing", by=scene.winner, now=SETTLED_AT, path=path).json
    assert (standing["rank"], standing["unranked_reason"], standing["stale"]) == (None, "disqualified", False)


def test_a_disqualification_that_is_taken_back_counts_as_none(scene: Scene) -> None:
    scene.disqualify()
    path = f"/v1/admin/races/{scene.race_id}/participants/{scene.winner.id}"
    scene.call("update_participant", scene.staff, path=path, body={"disqualified": False, "reason": "An error."})
    scene.settle()
    assert scene.arena.rewards(scene.race_id)[scene.winner.id] == FIRST
