"""A race is settled while another connection settles, cancels, moves or scores it, or erases a participant."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from goatedvips.domain.access import Caller
from goatedvips.domain.races import changes
from goatedvips.domain.races.results import settlement
from goatedvips.domain.races.results.archive import Report
from goatedvips.domain.wagers.feed import Feed
from goatedvips.domain.wagers.ingest import ingest_feed
from goatedvips.errors import NotSettleable, RaceFrozen, RaceSettled
from goatedvips.models.accounts import users
from goatedvips.models.races import historical_races, race_boundaries, wager_races
from goatedvips.models.rewards import rewards
from tests.concurrency.together import at_once, at_once_behind, await_waiting
from tests.support.arena import MINUTE, SETTLED_AT, Arena
from tests.support.members import Members
from tests.support.races import END

SECOND = timedelta(seconds=1)
WEEK = timedelta(days=7)


def by_staff(members: Members) -> Caller:
    staff = members.staff()
    return Caller(staff.id, staff.session_id, "test")


def settling(members: Members, race_id: int) -> Callable[[Connection], Report]:
    return partial(settlement.settle, caller=by_staff(members), race_id=race_id, now=SETTLED_AT)


def scheduled(race_id: int) -> Callable[[Connection], Report | None]:
    return partial(settlement.settle_due, race_id=race_id, now=SETTLED_AT)


def behind(arena: Arena, url: str, first: Callable[[Connection], Any], second: Callable[[Connection], Any]) -> Any:
    """Return the result of the second work, which waits for the first one's commit."""
    with ThreadPoolExecutor(1) as pool, arena.database.connect() as holder:
        holder.execution_options(isolation_level="READ COMMITTED")
        first(holder)
        waiting = pool.submit(at_once, url, [second])
        try:
            await_waiting(arena.database, 1)
        finally:
            holder.commit()
        return waiting.result()[0]


def count(arena: Arena, table: sa.Table, *conditions: sa.ColumnElement[bool]) -> int:
    with arena.database.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table).where(*conditions)).scalar_one())


def test_of_many_settlements_at_once_one_is_made_and_all_get_its_report(
    arena: Arena, members: Members, patient: str
) -> None:
    race_id, _ = arena.ended("50", "60", "60")
    race = sa.select(wager_races.c.id).where(wager_races.c.id == race_id)
    reports = at_once_behind(arena.database, race, patient, [settling(members, race_id) for _ in range(8)])
    assert all(isinstance(report, Report) for report in reports), reports
    assert sum(report.just_settled for report in reports if isinstance(report, Report)) == 1
    assert len({str(report.standings) for report in reports if isinstance(report, Report)}) == 1
    assert count(arena, historical_races, historical_races.c.race_id == race_id) == 1
    assert count(arena, rewards, rewards.c.source_type == "race", rewards.c.source_id == race_id) == 3
    assert sum(arena.rewards(race_id).values()) == Decimal("100.01")


def test_runs_of_the_schedule_at_once_settle_a_race_once_and_wait_for_nobody(arena: Arena, patient: str) -> None:
    race_id, _ = arena.ended("50", "60")
    reports = at_once(patient, [scheduled(race_id) for _ in range(8)])
    assert [report for report in reports if isinstance(report, Exception)] == []
    assert len([report for report in reports if report is not None]) == 1
    assert sum(arena.rewards(race_id).values()) == Decimal("80.01")


def test_a_cancellation_waits_for_the_settlement_and_is_refused(arena: Arena, members: Members, patient: str) -> None:
    race_id, _ = arena.ended("50")
    cancelling = partial(changes.cancel, caller=by_staff(members), race_id=race_id, now=SETTLED_AT)
    refused = behind(arena, patient, settling(members, race_id), cancelling)
    assert isinstance(refused, RaceSettled), refused
    assert (arena.races.row(race_id).cancelled_at, len(arena.rewards(race_id))) == (None, 1)


def test_a_settlement_waits_for_the_cancellation_and_is_refused(arena: Arena, members: Members, patient: str) -> None:
    race_id, _ = arena.ended("50")
    cancelling = partial(changes.cancel, caller=by_staff(members), race_id=race_id, now=SETTLED_AT)
    refused = behind(arena, patient, cancelling, settling(members, race_id))
    assert isinstance(refused, NotSettleable), refused
    assert (arena.races.row(race_id).settled_at, arena.rewards(race_id), arena.archived(race_id)) == (None, {}, None)


def test_the_end_does_not_move_once_the_race_is_settled_even_by_a_clock_that_is_behind(
    arena: Arena, members: Members, patient: str
) -> None:
    race_id, _ = arena.ended("50")
    moving = partial(
        changes.change,
        caller=by_staff(members),
        race_id=race_id,
        given={"end_date": END + WEEK},
        now=END - SECOND,
    )
    refused = behind(arena, patient, settling(members, race_id), moving)
    assert isinstance(refused, RaceSettled | RaceFrozen), refused
    assert (arena.races.row(race_id).end_date, len(arena.rewards(race_id))) == (END, 1)


def test_a_settlement_finds_the_end_that_was_moved_meanwhile(arena: Arena, members: Members, patient: str) -> None:
    race_id, _ = arena.ended("50")
    moving = partial(
        changes.change,
        caller=by_staff(members),
        race_id=race_id,
        given={"end_date": END + WEEK},
        now=END - SECOND,
    )
    refused = behind(arena, patient, moving, settling(members, race_id))
    assert isinstance(refused, NotSettleable), refused
    row = arena.races.row(race_id)
    assert (row.end_date, row.settled_at, arena.rewards(race_id)) == (END + WEEK, None, {})


def feed_of(totals: dict[str, str]) -> Feed:
    none = [Decimal(0)] * len(totals)
    figures = [Decimal(total) for total in totals.values()]
    return Feed([*totals], [None] * len(totals), figures, none, none, none, entry_count=len(totals))


def test_a_feed_of_before_the_end_that_is_ingested_meanwhile_changes_no_result(
    arena: Arena, members: Members, patient: str
) -> None:
    race_id, players = arena.ended("50", "60")
    next_id = arena.race(start_date=END, end_date=END + WEEK)
    uids = [account.uid for account in arena.accounts()]
    arena.races.enter(next_id, players[0].id)
    ingesting = partial(
        ingest_feed,
        now=SETTLED_AT,
        key="feed/2026/06/07/20260607T235000000Z-00000000.jsonl.gz",
        sha256="0" * 64,
        feed=feed_of(dict.fromkeys(uids, "5000")),
    )
    report = behind(arena, patient, settling(members, race_id), ingesting)
    assert not isinstance(report, Exception), report
    assert report.is_new
    scores = {one.user_id: (one.rank, one.total_wager) for one in arena.races.participants(race_id)}
    assert scores == {players[0].id: (2, Decimal(50)), players[1].id: (1, Decimal(60))}
    assert len(arena.rewards(race_id)) == 2


def test_back_to_back_races_that_are_settled_at_once_share_one_boundary(
    arena: Arena, members: Members, patient: str
) -> None:
    race_id, players = arena.ended("50")
    next_id = arena.race(start_date=END, end_date=END + 10 * MINUTE)
    ((uid,),) = [[account.uid for account in arena.accounts()]]
    arena.races.enter(next_id, players[0].id)
    arena.feeds((END + 10 * MINUTE, {uid: "190"}))
    now = END + 40 * MINUTE
    works = [
        partial(settlement.settle, caller=by_staff(members), race_id=each, now=now) for each in (race_id, next_id) * 2
    ]
    reports = at_once(patient, works)
    assert all(isinstance(report, Report) for report in reports), reports
    (first,), (second,) = arena.races.participants(race_id), arena.races.participants(next_id)
    assert (first.total_wager, second.total_wager) == (50, 40)
    assert count(arena, race_boundaries) == 3
    assert count(arena, race_boundaries, race_boundaries.c.fixed_at == now) == 3


def test_a_settlement_waits_for_an_erasure_and_leaves_the_member_out(
    arena: Arena, members: Members, patient: str
) -> None:
    race_id, players = arena.ended("50", "60")

    def erase(connection: Connection) -> None:
        values = {"erased_at": SETTLED_AT, "username": f"erased-{players[1].id}", "hide_name": True}
        row = sa.select(users.c.id).where(users.c.id == players[1].id).with_for_update()
        connection.execute(row)
        connection.execute(sa.update(users).where(users.c.id == players[1].id).values(values))

    report = behind(arena, patient, erase, settling(members, race_id))
    assert isinstance(report, Report), report
    assert arena.rewards(race_id) == {players[0].id: Decimal("50.01")}
    assert players[1].username not in str(arena.archived(race_id).participants)


def test_an_erasure_waits_for_the_settlement(arena: Arena, members: Members, patient: str) -> None:
    race_id, players = arena.ended("50")
    seen: list[Any] = []

    def erase(connection: Connection) -> None:
        connection.execute(sa.select(users.c.id).where(users.c.id == players[0].id).with_for_update())
        seen.append(connection.execute(sa.select(historical_races).where(historical_races.c.race_id == race_id)).one())

    assert behind(arena, patient, settling(members, race_id), erase) is None
    assert seen[0].participants[0]["username"] == players[0].username, "so it can remove the name"


def test_a_participant_whose_link_ends_meanwhile_is_ranked_or_not_but_never_half(
    arena: Arena, members: Members, patient: str
) -> None:
    race_id, players = arena.ended("50", "60")

    def relink(connection: Connection) -> None:
        connection.execute(sa.update(users).where(users.c.id == players[1].id).values(uid=None))

    works: list[Callable[[Connection], Report | None]] = [settling(members, race_id), relink]
    reports = at_once(patient, works)
    assert not any(isinstance(one, Exception) for one in reports), reports
    paid = arena.rewards(race_id)
    assert paid in (
        {players[0].id: Decimal("50.01")},
        {players[0].id: Decimal("30.00"), players[1].id: Decimal("50.01")},
    )
