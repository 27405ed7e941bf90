"""The number of a race's participants: exact whoever writes them, and however seldom it is added up."""

import secrets
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips import db
from goatedvips.domain.races import participant_counts
from goatedvips.models.races import participant_changes, wager_race_participants, wager_races
from tests.support.functions import Functions
from tests.support.members import Members
from tests.support.races import Races


@pytest.fixture(params=[False, True], ids=["not added up", "added up"])
def counted(request: pytest.FixtureRequest, database: sa.Engine, functions: Functions) -> Any:
    """The numbers that the API gives, without and with the changes added up before."""

    def counted(race_id: int) -> int:
        if request.param:
            with db.transaction() as connection:
                participant_counts.fold(connection)
            with database.connect() as connection:
                assert not connection.scalar(sa.select(sa.func.count()).select_from(participant_changes))
        (listed,) = [
            race for race in functions.call("list_races", query={"limit": "100"}).json["items"] if race["id"] == race_id
        ]
        number = functions.call("get_race", path=f"/v1/races/{race_id}").json["participants"]
        board = functions.call("get_leaderboard", path=f"/v1/races/{race_id}/leaderboard").json["items"]
        assert number == listed["participants"] == len(board)
        return int(number)

    return counted


def test_rows_of_whatever_application_are_counted_once(
    races: Races, members: Members, database: sa.Engine, counted: Any
) -> None:
    races.remove_all()
    race_id, other, member = races.new(), races.new(), members.new()
    assert counted(race_id) == 0
    row = races.enter(race_id, member.id)
    races.enter(race_id, member.id)  # repeats the member's row
    races.enter(race_id, None)
    races.enter(race_id, members.new().id)
    assert (counted(race_id), counted(other)) == (2, 0)
    with database.connect() as connection:
        table = wager_race_participants
        connection.execute(sa.update(table).where(table.c.id == row).values(race_id=other, rank=1))
        assert (counted(race_id), counted(other)) == (1, 1)
        connection.execute(sa.update(table).where(table.c.id == row).values(race_id=other, user_id=member.id, rank=2))
        assert (counted(race_id), counted(other)) == (1, 1)
        connection.execute(sa.delete(table).where(table.c.race_id == race_id))
        assert (counted(race_id), counted(other)) == (0, 1)
        connection.execute(sa.delete(table))
        connection.execute(sa.delete(wager_races).where(wager_races.c.id == other))
        assert counted(race_id) == 0


def test_a_shell_takes_part_once_it_is_a_member(races: Races, members: Members, counted: Any) -> None:
    race_id, shell = races.new(), members.shell(secrets.token_hex(8))
    races.enter(race_id, shell.id, rank=1)
    assert counted(race_id) == 0
    members.change(shell, email=f"{shell.username}@example.com")
    assert counted(race_id) == 1
    members.change(shell, email=f"{shell.username}@placeholder.com")
    assert counted(race_id) == 0


def test_two_runs_at_once_add_each_change_once(races: Races, members: Members, database: sa.Engine) -> None:
    races.remove_all()
    race_id = races.new()
    races.enter(race_id, members.new().id)
    with database.connect() as outer, db.transaction() as inner:
        first = outer.execution_options(isolation_level="READ COMMITTED")
        with first.begin():
            participant_counts.fold(first)
            participant_counts.fold(inner)  # leaves the locked race alone
    with database.connect() as connection:
        assert connection.scalar(sa.select(wager_races.c.participant_count).where(wager_races.c.id == race_id)) == 1
