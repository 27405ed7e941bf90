"""What a settlement has written: rewards, archive, mail and histories, and what a dry run says, held to the result."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from goatedvips.domain.races.results.archive import Report
from goatedvips.models.notifications import outbox
from goatedvips.models.races import historical_races, race_boundaries, wager_race_participants, wager_races
from goatedvips.models.rewards import rewards
from goatedvips.models.wagers import feeds
from tests.simulations.reference import Person, Race, Reports, Result

MOST_ENTRIES, MOST_FALLS, MOST_POINTS = 1_000, 100, 200  # in the archive, in a dry run, and in a history
ARCHIVED_KEYS = {"user_id", "username", "rank", "total_wager", "prize"}

type People = Mapping[int, Person]


def compare_results(
    connection: sa.Connection, race: Race, result: Result, people: People, digests: Mapping[str, str]
) -> None:
    """Compare rewards, boundaries and the archive of a settled race, whenever that was.

    Parameters
    ----------
    digests: of all raw answers, by their keys.
    """
    of_race = sa.select(rewards.c.user_id, rewards.c.amount).where(
        rewards.c.source_type == "race", rewards.c.source_id == race.id
    )
    paid = {user_id: one.prize for user_id, one in result.standings.items() if one.prize}
    found = Counter((row.user_id, row.amount) for row in connection.execute(of_race))
    assert found == Counter(paid.items()), f"rewards of race {race.id} differ"
    boundaries = sa.select(race_boundaries.c.instant, feeds.c.key).join(feeds, feeds.c.id == race_boundaries.c.feed_id)
    keys = {row.instant: row.key for row in connection.execute(boundaries)}
    assert (keys[race.start], keys[race.end]) == result.feeds, f"boundaries of race {race.id} differ"
    settled_at = sa.select(wager_races.c.settled_at).where(wager_races.c.id == race.id)
    assert connection.scalar(settled_at) is not None
    row = connection.execute(sa.select(historical_races).where(historical_races.c.race_id == race.id)).one()
    _compare_archive(row, race, result, people, digests)


def _compare_archive(row: Any, race: Race, result: Result, people: People, digests: Mapping[str, str]) -> None:
    listed = {user_id: one for user_id, one in result.standings.items() if not people[user_id].is_shell}
    ranked = sum(one.rank is not None for one in listed.values())
    prizes = sum((one.prize for one in listed.values()), Decimal(0))
    assert (row.month, row.year) == (f"{race.end:%B}", f"{race.end:%Y}")
    assert (row.start_date, row.end_date, row.prize_pool) == (race.start, race.end, race.pool)
    assert (row.participant_count, row.status) == (str(len(listed)), "completed")
    assert row.total_wagered == sum(one.score for one in listed.values()), f"what was wagered in race {race.id} differs"
    made = row.metadata
    assert made["ranked"] == ranked
    assert (Decimal(made["paid"]), Decimal(made["unallocated"])) == (prizes, result.unallocated)
    assert Decimal(made["min_wager"]) == race.min_wager
    assert [made[name]["sha256"] for name in ("start_feed", "end_feed")] == [digests[key] for key in result.feeds]
    paid_places = sum(one.rank is not None and one.rank <= len(race.percents) for one in listed.values())
    assert len(row.participants) == min(len(listed), max(MOST_ENTRIES, paid_places))
    places = [len(listed) + 1 if entry["rank"] is None else entry["rank"] for entry in row.participants]
    assert places == sorted(places)
    for entry in row.participants:
        one = listed[entry["user_id"]]
        assert entry.keys() == ARCHIVED_KEYS
        figures = entry["rank"], Decimal(entry["total_wager"]), Decimal(entry["prize"])
        assert figures == (one.rank, one.score, one.prize), f"{entry} of race {race.id} differs from {one}"


def compare_mail(connection: sa.Connection, race: Race, result: Result, people: People) -> None:
    """Each participant who has not erased themselves is told the result, right after the settlement."""
    told = sa.select(outbox.c.user_id, outbox.c.payload).where(
        outbox.c.kind == "race_result", outbox.c.payload["race_id"].as_integer() == race.id
    )
    rows = connection.execute(told).all()
    found = Counter((row.user_id, row.payload["rank"], Decimal(row.payload["prize"] or 0)) for row in rows)
    expected = Counter(
        (user_id, one.rank, one.prize)
        for user_id, one in result.standings.items()
        if not (people[user_id].is_shell or people[user_id].is_erased)
    )
    assert found == expected, f"mail of race {race.id} differs: {found - expected} {expected - found}"


def compare_histories(
    connection: sa.Connection, reports: Reports, race: Race, people: People, user_ids: list[int]
) -> int:
    """The points of histories are the scores at that time, the last one the result. Return their number.

    Which of several equal totals is stored as a reading depends on the order in which feeds come.
    """
    participants = wager_race_participants.c
    columns = sa.select(participants.user_id, participants.total_wager, participants.wager_history).where(
        participants.race_id == race.id, participants.user_id.in_(user_ids)
    )
    points = 0
    for row in connection.execute(columns):
        scores = reports.rise(race, people[row.user_id].uid, race.participants[row.user_id].carried_over)
        history = [(datetime.fromisoformat(one["at"]), Decimal(one["total"])) for one in row.wager_history or ()]
        assert len(history) <= MOST_POINTS
        assert [at for at, _ in history] == sorted({at for at, _ in history})
        assert [total for _, total in history[-1:]] == [row.total_wager] * bool(scores), f"{row} of {scores[-1:]}"
        for at, total in history:
            assert [total] == [then for when, then in scores if when <= at][-1:], f"{row}: {at} {total} is not so"
        points += len(history)
    return points


def compare_dry_run(report: Report, race: Race, result: Result, people: People, falls: Mapping[str, Decimal]) -> None:
    """A dry run right before the settlement has its result, and says who is new and whose total has fallen.

    Parameters
    ----------
    falls: the last totals of accounts that are below an earlier one, by uid.
    """
    listed = {user_id: one for user_id, one in result.standings.items() if not people[user_id].is_shell}
    ranked = sum(one.rank is not None for one in listed.values())
    assert (report.participants, report.ranked, report.unallocated) == (len(listed), ranked, result.unallocated)
    assert report.paid == race.pool - result.unallocated
    assert len(report.standings) == min(len(listed), MOST_ENTRIES)
    for row in report.standings:
        one = listed[row["user_id"]]
        figures = row["rank"], row["score"], row["prize"], row["new"]
        assert figures == (one.rank, one.score, one.prize, one.is_new), f"{row} differs from {one}"
    disqualified = [user_id for user_id, one in race.participants.items() if one.is_disqualified]
    assert report.disqualified == sorted(disqualified)
    uids = {people[user_id].uid: user_id for user_id in listed}
    fallen = {uids[uid] for uid in falls if uid in uids}
    reported = {row["user_id"] for row in report.falls}
    totals = {row["user_id"]: row["total"] for row in report.falls}
    assert totals == {user_id: falls.get(people[user_id].uid or "") for user_id in reported}, "totals of falls differ"
    assert reported <= fallen, f"no falls: {reported - fallen}"
    assert len(reported) == min(len(fallen), MOST_FALLS), f"falls that are missing: {fallen - reported}"


def compare_cancelled(connection: sa.Connection, race: Race) -> None:
    """A cancelled race has no result."""
    row = connection.execute(sa.select(wager_races).where(wager_races.c.id == race.id)).one()
    assert (row.status, row.settled_at) == ("cancelled", None)
    rows = sa.select(rewards.c.id).where(rewards.c.source_type == "race", rewards.c.source_id == race.id)
    assert connection.execute(rows).all() == []
    assert connection.execute(sa.select(historical_races).where(historical_races.c.race_id == race.id)).all() == []
