"""Every minute: settle the races that are due, keep their feeds, and raise alarms."""

import base64
import gzip
import itertools
import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest
import sqlalchemy as sa
from botocore.exceptions import ClientError
from moto import mock_aws

from goatedvips import race_settlement
from goatedvips.clients import raw_feed, s3
from goatedvips.config import settings
from goatedvips.domain.races.results import settlement
from goatedvips.domain.races.scores import MOST_POINTS
from goatedvips.models.notifications import outbox
from goatedvips.models.races import race_boundaries, wager_races
from goatedvips.models.wagers import feeds
from tests.support.arena import MINUTE, SETTLED_AT, Arena
from tests.support.credentials import compose_mail
from tests.support.functions import Functions
from tests.support.members import Members
from tests.support.races import END, START, Races

BUCKET = "feeds-of-tests"
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(settings, "feed_bucket", BUCKET)
    s3.client.cache_clear()
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client
    s3.client.cache_clear()


@pytest.fixture(autouse=True)
def stored_feeds(arena: Arena, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each feed of a test has its raw object."""
    insert = arena.readings.feed

    def feed(*given: Any, **columns: Any) -> int:
        feed_id = insert(*given, **columns)
        with arena.database.connect() as connection:
            key = connection.execute(sa.select(feeds.c.key).where(feeds.c.id == feed_id)).scalar_one()
        bucket.put_object(Bucket=BUCKET, Key=key, Body=f"raw {key}".encode())
        return feed_id

    monkeypatch.setattr(type(arena.readings), "feed", lambda _, *given, **columns: feed(*given, **columns))


def run(functions: Functions, monkeypatch: pytest.MonkeyPatch, now: datetime = SETTLED_AT) -> dict[str, int]:
    monkeypatch.setattr("goatedvips.race_settlement.utc_now", lambda: now)
    done: dict[str, int] = functions.invoke("settle_races", {"scheduled_time": now.isoformat()})
    return {name: count for name, count in done.items() if count}


def test_a_race_gets_ranks_prizes_rewards_an_archive_row_and_mail(
    arena: Arena, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    race_id, players = arena.ended("50", "60", "20", "15", "9.99", title="June")
    assert run(functions, monkeypatch) == {"settled": 1, "feeds_kept": 2}
    row = arena.races.row(race_id)
    assert (row.settled_at, row.status, row.updated_at) == (SETTLED_AT, "completed", SETTLED_AT)
    standings = {one.user_id: (one.rank, one.total_wager) for one in arena.races.participants(race_id)}
    ids = [player.id for player in players]
    assert standings == {
        ids[0]: (2, Decimal(50)),
        ids[1]: (1, Decimal(60)),
        ids[2]: (3, Decimal(20)),
        ids[3]: (4, Decimal(15)),
        ids[4]: (None, Decimal("9.99")),
    }
    prizes = {ids[1]: Decimal("50.01"), ids[0]: Decimal("30.00"), ids[2]: Decimal("20.00")}
    assert arena.rewards(race_id) == prizes
    archived = arena.archived(race_id)
    assert (archived.month, archived.year, archived.status) == ("June", "2026", "completed")
    assert (archived.prize_pool, archived.start_date, archived.end_date) == (Decimal("100.01"), START, END)
    assert (archived.total_wagered, archived.participant_count) == (Decimal("154.99"), "5")
    assert archived.created_at == SETTLED_AT
    assert archived.participants == [
        {
            "user_id": players[place].id,
            "username": players[place].username,
            "rank": rank,
            "total_wager": score,
            "prize": prize,
        }
        for place, rank, score, prize in (
            (1, 1, "60.00", "50.01"),
            (0, 2, "50.00", "30.00"),
            (2, 3, "20.00", "20.00"),
            (3, 4, "15.00", "0.00"),
            (4, None, "9.99", "0.00"),
        )
    ]
    with arena.database.connect() as connection:
        digests = connection.execute(sa.select(feeds.c.sha256).order_by(feeds.c.requested_at)).scalars().all()
        mails = connection.execute(sa.select(outbox).where(outbox.c.user_id.in_(ids)).order_by(outbox.c.user_id)).all()
    assert archived.metadata == {
        "title": "June",
        "type": "weekly",
        "min_wager": "10.00",
        "prize_distribution": {"1": 50, "2": 30, "3": 20},
        "ranked": 4,
        "paid": "100.01",
        "unallocated": "0.00",
        "start_feed": {"sha256": digests[0], "requested_at": "2026-06-01T00:00:00.000Z"},
        "end_feed": {"sha256": digests[1], "requested_at": "2026-06-08T00:00:00.000Z"},
    }
    assert [(mail.kind, mail.address, mail.due_at) for mail in mails] == [
        ("race_result", player.email, SETTLED_AT) for player in players
    ]
    message = compose_mail(arena.database, mails[0], SETTLED_AT)
    assert message is not None
    assert "rank 2" in message.text
    assert "You won $30.00" in message.text


def test_running_again_changes_nothing(arena: Arena, functions: Functions, monkeypatch: pytest.MonkeyPatch) -> None:
    race_id, _ = arena.ended("50", "60")
    run(functions, monkeypatch)
    before = arena.races.row(race_id), arena.races.participants(race_id), arena.rewards(race_id)
    assert run(functions, monkeypatch, SETTLED_AT + 3 * DAY) == {}
    assert (arena.races.row(race_id), arena.races.participants(race_id), arena.rewards(race_id)) == before


def test_three_days_late_the_result_is_the_same(
    arena: Arena, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    race_id, players = arena.ended("50", "60")
    uids = [row.uid for row in arena.accounts()]
    arena.feeds((END + 10 * MINUTE, dict.fromkeys(uids, "9000")), (END + DAY, dict.fromkeys(uids, "9500")))
    arena.feeds((END - 10 * MINUTE, dict.fromkeys(uids, "101")))  # ingested late, of before the end
    assert run(functions, monkeypatch, END + 3 * DAY) == {"settled": 1, "feeds_kept": 2}
    scores = {one.user_id: one.total_wager for one in arena.races.participants(race_id)}
    assert scores == {players[0].id: 50, players[1].id: 60}
    assert arena.rewards(race_id) == {players[1].id: Decimal("50.01"), players[0].id: Decimal("30.00")}


@pytest.mark.parametrize(
    ("ended", "ingested", "settled"),
    [
        (END, END, SETTLED_AT),
        (END, END + 20 * MINUTE, END + 50 * MINUTE),
        (END, END + 3 * DAY, END + 3 * DAY + 30 * MINUTE),
    ],
)
def test_it_waits_30_minutes_from_the_end_and_from_the_ingestion_of_its_feed(
    arena: Arena,
    functions: Functions,
    monkeypatch: pytest.MonkeyPatch,
    ended: datetime,
    ingested: datetime,
    settled: datetime,
) -> None:
    race_id = arena.race()
    arena.enter(race_id, 1)
    arena.readings.feed(START)
    arena.readings.feed(ended, ingested_at=ingested)
    assert "settled" not in run(functions, monkeypatch, settled - SECOND)
    assert arena.races.row(race_id).settled_at is None
    assert run(functions, monkeypatch, settled)["settled"] == 1


def test_a_late_feed_of_the_end_takes_the_earlier_one_s_place_until_a_settlement_fixes_it(
    arena: Arena, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    race_id, next_id = arena.race(), arena.race(start_date=END, end_date=END + 7 * DAY)
    ((uid, player),) = arena.enter(race_id, 1).items()
    arena.races.enter(next_id, player.id)
    arena.feeds((START, {uid: "0"}), (END + 10 * MINUTE, {uid: "100"}))
    late = arena.readings.feed(END + MINUTE, {uid: "90"}, ingested_at=END + 35 * MINUTE)
    assert run(functions, monkeypatch, END + 40 * MINUTE) == {}
    assert run(functions, monkeypatch, END + 65 * MINUTE)["settled"] == 1
    arena.readings.feed(END, {uid: "80"})
    arena.feeds((END + 7 * DAY, {uid: "150"}))
    run(functions, monkeypatch, END + 7 * DAY + 30 * MINUTE)
    (first,), (second,) = arena.races.participants(race_id), arena.races.participants(next_id)
    assert (first.total_wager, first.base, first.end_total) == (90, 0, 90)
    assert (second.total_wager, second.base, second.end_total) == (60, 90, 150), "no cent is lost or counted twice"
    with arena.database.connect() as connection:
        fixed = connection.execute(sa.select(race_boundaries).where(race_boundaries.c.instant == END)).one()
    assert (fixed.feed_id, fixed.fixed_at) == (late, END + 65 * MINUTE)


@pytest.mark.parametrize(
    "columns",
    [
        {"is_legacy": True},
        {"cancelled_at": END - MINUTE},
        {"end_date": SETTLED_AT},
        {"settled_at": END},
    ],
    ids=lambda columns: next(iter(columns)),
)
def test_races_that_the_schedule_does_not_settle(
    arena: Arena, functions: Functions, monkeypatch: pytest.MonkeyPatch, columns: dict[str, Any]
) -> None:
    race_id, _ = arena.ended("50", **columns)
    arena.feeds((SETTLED_AT, {}))
    before = arena.races.row(race_id), arena.races.participants(race_id)
    assert run(functions, monkeypatch) == {}
    assert (arena.races.row(race_id), arena.races.participants(race_id)) == before
    assert arena.archived(race_id) is None


def test_without_a_whole_feed_of_the_end_nothing_is_settled_and_after_a_day_there_is_an_alarm(
    arena: Arena,
    functions: Functions,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    race_id = arena.race()
    arena.readings.feed(START)
    arena.readings.feed(END, is_whole=False)
    assert run(functions, monkeypatch, END + DAY - SECOND) == {}
    assert run(functions, monkeypatch, END + DAY) == {"overdue": 1}
    (record,) = (record for record in caplog.records if record.getMessage() == "alarm")
    assert (vars(record)["alarm"], vars(record)["first_race_id"]) == ("race_unsettled", race_id)
    assert '"name":"race_unsettled"' in capsys.readouterr().out.replace('": "', '":"')
    arena.readings.feed(END + DAY)
    assert run(functions, monkeypatch, END + 2 * DAY)["settled"] == 1
    assert run(functions, monkeypatch, END + 2 * DAY) == {}


def test_a_race_of_the_legacy_application_that_nobody_settles_raises_the_alarm(
    arena: Arena, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena.ended("50", is_legacy=True)
    assert run(functions, monkeypatch, END + DAY) == {"overdue": 1}


def test_participants_and_nobody_ranked_is_settled_with_an_alarm(
    arena: Arena, functions: Functions, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    empty = arena.race()
    race_id, _ = arena.ended("1", "2")
    assert run(functions, monkeypatch)["settled"] == 2
    (record,) = (record for record in caplog.records if record.getMessage() == "alarm")
    assert (vars(record)["alarm"], vars(record)["race_id"]) == ("race_without_ranked", race_id)
    assert arena.rewards(race_id) == {}
    assert arena.archived(race_id).metadata["unallocated"] == "100.01"
    assert (arena.archived(empty).participants, arena.archived(empty).participant_count) == ([], "0")


def test_the_alarm_is_raised_before_the_settlement_commits(
    arena: Arena, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    race_id, _ = arena.ended("1", "2")
    seen: list[tuple[object, object]] = []

    def alarm(name: object, **_: object) -> None:
        with arena.database.connect() as connection:
            seen.append((name, connection.scalar(sa.select(wager_races.c.settled_at))))

    monkeypatch.setattr(race_settlement, "alarm", alarm)
    assert run(functions, monkeypatch)["settled"] == 1
    assert seen == [("race_without_ranked", None)], "a process that ends at the commit takes no alarm along"
    assert arena.races.row(race_id).settled_at is not None


def test_one_race_that_cannot_be_settled_does_not_delay_the_others(
    arena: Arena, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, _ = arena.ended("50", prize_distribution={"2": 50}, end_date=END - MINUTE)
    race_id, _ = arena.ended("50")
    assert run(functions, monkeypatch) == {"settled": 1, "failed": 1, "feeds_kept": 2}
    assert arena.races.row(race_id).settled_at == SETTLED_AT
    assert arena.races.row(broken).settled_at is None


def test_the_feeds_of_both_boundaries_are_kept_and_what_a_crash_left_is_kept_by_the_next_run(
    arena: Arena, functions: Functions, monkeypatch: pytest.MonkeyPatch, bucket: Any
) -> None:
    arena.ended("50")

    def fail(_: str) -> None:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(raw_feed, "keep_for_settlement", fail)
        with pytest.raises(ConnectionError):
            run(functions, patched)
    assert run(functions, monkeypatch, SETTLED_AT + MINUTE) == {"feeds_kept": 2}
    assert run(functions, monkeypatch, SETTLED_AT + 2 * MINUTE) == {}
    listed = bucket.list_objects_v2(Bucket=BUCKET)["Contents"]
    contents = {one["Key"]: bucket.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in listed}
    raw = {key: body for key, body in contents.items() if key.startswith("feed/")}
    assert {key: body for key, body in contents.items() if key.startswith("settled/")} == {
        key.replace("feed/", "settled/"): body for key, body in raw.items()
    }
    assert len(raw) == 2
    with arena.database.connect() as connection:
        kept = connection.execute(sa.select(race_boundaries.c.kept_at)).scalars().all()
    assert kept == [SETTLED_AT + MINUTE] * 2


def test_the_history_has_at_most_200_points_evenly_and_the_last(
    arena: Arena, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    race_id = arena.race()
    (many, few) = arena.enter(race_id, 2)
    arena.feeds((START, {many: "0", few: "10"}))
    for number in range(1, 502):
        arena.feeds((START + number * 10 * MINUTE, {many: f"{number}.019"}))
    arena.feeds((END - MINUTE, {few: "5"}), (END, {few: "40.5"}), (END + MINUTE, {many: "9999"}))
    run(functions, monkeypatch)
    by_uid = {one.account_id: one.wager_history for one in arena.races.participants(race_id)}
    ids = {row.uid: row.id for row in arena.accounts()}
    points = by_uid[ids[many]]
    assert len(points) == MOST_POINTS
    assert points[-1] == {"at": "2026-06-04T11:30:00Z", "total": "501.01"}
    steps = [Decimal(later["total"]) - Decimal(before["total"]) for before, later in itertools.pairwise(points)]
    assert set(steps) == {2, 3}
    assert by_uid[ids[few]] == [
        {"at": "2026-06-07T23:59:00Z", "total": "0.00"},
        {"at": "2026-06-08T00:00:00Z", "total": "30.50"},
    ]


def test_a_batch_takes_those_that_ended_first(arena: Arena) -> None:
    race_ids = [arena.race(end_date=END - number * MINUTE) for number in range(settlement.BATCH + 1)]
    arena.readings.feed(START)
    arena.readings.feed(END)
    with arena.database.connect() as connection:
        assert settlement.find_due(connection, now=SETTLED_AT) == race_ids[:0:-1]


def test_participants_read_their_results_in_the_inbox(
    arena: Arena, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, (winner, loser) = arena.ended("50", "1")
    run(functions, monkeypatch)
    for member, body in (
        (winner, r"You finished at rank 1\. You won \$\d+\.\d\d\. .*"),
        (loser, r"You have no rank in it\."),
    ):
        (item,) = functions.call("list_notifications", by=member, now=SETTLED_AT).json["items"]
        assert item["title"].startswith("The result of ")
        assert re.fullmatch(body, item["body"])


def test_mail_goes_to_those_whom_mail_about_play_may_reach(
    arena: Arena, functions: Functions, members: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    race_id, players = arena.ended("50")
    for columns in ({"email_verified": False}, {"suspended_at": START}, {"erased_at": START}):
        arena.races.enter(race_id, members.new(seeds=False, **columns).id)
    run(functions, monkeypatch)
    of_race = outbox.c.kind == "race_result", outbox.c.payload["race_id"].as_integer() == race_id
    with arena.database.connect() as connection:
        mails = connection.execute(sa.select(outbox).where(*of_race)).all()
    assert len(mails) == 3, "an erased member is told nothing"
    assert [mail.user_id for mail in mails if compose_mail(arena.database, mail)] == [players[0].id]


def test_more_paid_places_than_the_archive_lists_are_all_archived(
    arena: Arena, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("goatedvips.domain.races.results.archive.MOST_ENTRIES", 2)
    race_id, _ = arena.ended("50", "60", "70", "10")
    run(functions, monkeypatch)
    assert [entry["rank"] for entry in arena.archived(race_id).participants] == [1, 2, 3]
    assert arena.archived(race_id).participant_count == "4"


def test_a_race_that_ended_before_adoption_is_settled_and_nothing_of_it_is_written(
    arena: Arena, races: Races, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    race_id, _ = arena.ended("50", is_legacy=True, settled_at=END)
    before = races.participants(race_id)
    assert run(functions, monkeypatch, END + 3 * DAY) == {}
    assert (races.participants(race_id), arena.archived(race_id), arena.rewards(race_id)) == (before, None, {})


def test_a_member_s_export_has_the_line_from_which_the_score_follows(
    arena: Arena, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    race_id, (player,) = arena.ended("50.5")
    run(functions, monkeypatch)
    answer = functions.call("export_me", by=player)
    exported = json.loads(gzip.decompress(base64.b64decode(answer.text)))
    (line,) = exported["wager_race_participants"]
    assert (line["race_id"], line["rank"], line["is_new"]) == (race_id, 1, False)
    base, end, carried, score = (Decimal(line[name]) for name in ("base", "end_total", "carried_over", "total_wager"))
    assert (base, end, carried, score) == (Decimal(100), Decimal("150.5"), Decimal(0), Decimal("50.5"))
    assert line["wager_history"] == [{"at": "2026-06-08T00:00:00Z", "total": "50.50"}]


def test_a_feed_that_cannot_be_copied_delays_no_other(
    arena: Arena, functions: Functions, monkeypatch: pytest.MonkeyPatch, bucket: Any
) -> None:
    arena.ended("50")
    with arena.database.connect() as connection:
        first = connection.execute(sa.select(feeds.c.key).order_by(feeds.c.requested_at)).scalars().first()
    bucket.delete_object(Bucket=BUCKET, Key=first)
    with pytest.raises(ClientError):
        run(functions, monkeypatch)
    bucket.put_object(Bucket=BUCKET, Key=first, Body=b"raw")
    assert run(functions, monkeypatch) == {"feeds_kept": 1}


def test_an_adopted_race_that_ends_when_it_starts_is_settled(
    arena: Arena, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    race_id, _ = arena.ended("50")
    with arena.database.connect() as connection:
        connection.execute(sa.update(wager_races).where(wager_races.c.id == race_id).values(start_date=END))
    assert run(functions, monkeypatch)["settled"] == 1
    assert arena.rewards(race_id) == {}
