"""DELETE /v1/races/{id}/participants/me: a member leaves a race before it starts."""

from datetime import datetime, timedelta

from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members
from tests.support.races import END, START, Races

BEFORE = START - timedelta(seconds=1)


def leave(functions: Functions, race_id: object, by: Member, now: datetime = BEFORE) -> Answer:
    return functions.call("leave_race", by=by, now=now, path=f"/v1/races/{race_id}/participants/me")


def test_who_leaves_is_no_participant_and_can_join_again(races: Races, members: Members, functions: Functions) -> None:
    race_id, member, other = races.new(), members.new(), members.new()
    joining = f"/v1/races/{race_id}/participants"
    first = functions.call("join_race", by=member, now=BEFORE, path=joining)
    races.enter(race_id, other.id)
    assert (leave(functions, race_id, member).status, leave(functions, race_id, member).status) == (204, 404)
    assert [row.user_id for row in races.participants(race_id)] == [other.id]
    assert functions.call("get_race", path=f"/v1/races/{race_id}", now=BEFORE).json["participants"] == 1
    again = functions.call("join_race", by=member, now=START, path=joining)
    assert (first.status, again.status) == (201, 201)
    assert again.json["joined_at"] > first.json["joined_at"]


def test_a_race_that_has_started_is_not_left(races: Races, members: Members, functions: Functions) -> None:
    race_id, member = races.new(), members.new()
    races.enter(race_id, member.id)
    for now in (START, END):
        refused = leave(functions, race_id, member, now)
        assert (refused.status, refused.json["code"]) == (409, "race_frozen")
    assert len(races.participants(race_id)) == 1


def test_repeated_rows_of_the_legacy_application_go_too(races: Races, members: Members, functions: Functions) -> None:
    race_id, elsewhere, member = races.new(), races.new(), members.new()
    for race in (race_id, race_id, elsewhere):
        races.enter(race, member.id)
    assert leave(functions, race_id, member).status == 204
    assert (races.participants(race_id), len(races.participants(elsewhere))) == ([], 1)


def test_members_leave_only_for_themselves(races: Races, members: Members, functions: Functions) -> None:
    race_id, member, other = races.new(), members.new(), members.new()
    races.enter(race_id, other.id)
    for now in (BEFORE, START):
        assert leave(functions, race_id, member, now).status == 404
    assert len(races.participants(race_id)) == 1


def test_an_excluded_member_can_leave(races: Races, members: Members, functions: Functions) -> None:
    race_id, member = races.new(), members.new(excluded_permanently=True)
    races.enter(race_id, member.id)
    assert leave(functions, race_id, member).status == 204


def test_an_id_that_no_race_has_is_not_found(members: Members, functions: Functions) -> None:
    member = members.new()
    for race_id in (2**31 - 1, 2**31, 0, "one"):
        assert leave(functions, race_id, member).status == 404


def test_a_disqualified_member_cannot_leave_and_come_back_without_it(
    races: Races, members: Members, functions: Functions
) -> None:
    race_id, member = races.new(), members.new()
    races.enter(race_id, member.id)
    path, body = (
        f"/v1/admin/races/{race_id}/participants/{member.id}",
        {"disqualified": True, "reason": "Two accounts."},
    )
    assert functions.call("update_participant", by=members.staff(), now=BEFORE, path=path, body=body).status == 200
    refused = leave(functions, race_id, member)
    assert (refused.status, refused.json["code"]) == (409, "race_frozen")
    again = functions.call("join_race", by=member, now=BEFORE, path=f"/v1/races/{race_id}/participants")
    assert again.status == 200
    assert [row.disqualified_at for row in races.participants(race_id)] == [BEFORE]
