"""The demo's race of the month, from a new database to the archive, by the lines that `make run` prints."""

import gzip
import hashlib
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from local import demo, demo_feeds
from tests.e2e.test_clock import make_clock
from tests.support.make_run import Run, start

pytestmark = pytest.mark.xdist_group("demo_month")
MOST_SECONDS = 180
"""From the start of the platform until the race stands in the archive."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("local")


@pytest.fixture(scope="module")
def run(folder: Path) -> Iterator[Run]:
    started = start(folder)
    yield started
    started.stop()


def get(run: Run, path: str) -> Any:
    answer = httpx.get(f"{run.base}{path}", timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def sha256(file: Path) -> str:
    return hashlib.sha256(gzip.decompress(file.read_bytes())).hexdigest()


def test_the_month_s_race_is_settled_and_archived_by_the_printed_lines(run: Run, folder: Path) -> None:
    started = time.monotonic() - run.seconds
    races = {race["title"]: race for race in get(run, "/v1/races?limit=100")["items"]}
    live = races[demo.MONTH_RACE]
    board = get(run, f"/v1/races/{live['id']}/leaderboard?limit=100")
    scores = [Decimal(item["total_wager"]) for item in board["items"] if item["rank"]]
    assert len(scores) == 100, "the scores since the 1st are there at once"
    assert scores == sorted(scores, reverse=True)
    assert board["stale"] is False

    (wagers_url,) = re.findall(r'^curl .*"(http\S+/v1/leaderboards/all_time\?limit=3)"$', run.printed, re.MULTILINE)
    wagers = httpx.get(wagers_url).json()
    (to,) = re.findall(r"^make clock TO=(\w+)$", run.printed, re.MULTILINE)
    done = make_clock(folder, to)
    assert done.returncode == 0, done.stderr
    assert re.search(r"SettleRacesFunction: settled 1\b", done.stdout), done.stdout
    (url,) = re.findall(r'^curl .*"(http\S+/v1/races/history\?limit=1)"$', run.printed, re.MULTILINE)
    (past,) = httpx.get(url).json()["items"]
    seconds = time.monotonic() - started
    assert (past["race_id"], past["title"]) == (live["id"], demo.MONTH_RACE)
    assert seconds < MOST_SECONDS

    moved = httpx.get(wagers_url).json()
    assert moved["as_of"] > wagers["as_of"]
    assert [Decimal(one["wagered"]) for one in moved["items"]] > [Decimal(one["wagered"]) for one in wagers["items"]]

    whole = get(run, f"/v1/races/history/{past['id']}")
    paid = sum((Decimal(standing["prize"]) for standing in whole["participants"]), Decimal())
    assert paid == Decimal("1000.00") == Decimal(past["prize_pool"])
    assert past["participant_count"] == demo.RACERS + 1


def test_the_feeds_that_decided_it_are_kept_with_their_digests(run: Run, folder: Path) -> None:
    (past,) = get(run, "/v1/races/history?limit=1")["items"]
    shown = str(get(run, f"/v1/races/history/{past['id']}"))
    kept = sorted((folder / "s3/settled").rglob("*.jsonl.gz"))
    assert len(kept) == 2
    assert all(sha256(file) in shown for file in kept)
    for file, instant in zip(kept, (past["start_date"], past["end_date"]), strict=True):
        requested = datetime.strptime(file.name.split("-")[0][:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        assert 0 <= (requested - datetime.fromisoformat(instant)).total_seconds() < 60, "at the boundary"


def test_the_member_has_passed_a_tier_with_its_reward(run: Run) -> None:
    reached = """
        SELECT reward, is_silent FROM member_tiers JOIN users ON users.id = user_id
        WHERE username = :name AND member_tiers.tier = :tier
    """
    given = {"name": demo.MEMBER, "tier": demo_feeds.NEXT_TIER}
    with run.database.connect() as connection:
        assert connection.execute(sa.text(reached), given).one() == (demo_feeds.NEXT_REWARD, False)
        granted = sa.text("SELECT amount FROM rewards WHERE source_type = 'tier'")
        assert connection.scalars(granted).all() == [demo_feeds.NEXT_REWARD]
        queued = sa.text("SELECT payload ->> 'tier' FROM notifications WHERE kind = 'tier_reached'")
        assert demo_feeds.NEXT_TIER in connection.scalars(queued).all()


def test_members_with_a_casino_account_are_verified(run: Run) -> None:
    with run.database.connect() as connection:
        linked = sa.text("SELECT count(*), bool_and(verified) FROM users WHERE uid IS NOT NULL")
        assert connection.execute(linked).one() == (demo.RACERS + 1, True)


def test_participants_are_paid_and_get_the_result_by_mail(run: Run) -> None:
    (past,) = get(run, "/v1/races/history?limit=1")["items"]
    race = {"race_id": past["race_id"]}
    with run.database.connect() as connection:
        paid = "SELECT sum(amount) FROM rewards WHERE source_type = 'race' AND source_id = :race_id"
        assert connection.scalar(sa.text(paid), race) == 1000
        recipients = "SELECT count(DISTINCT user_id) FROM outbox WHERE kind = 'race_result'"
        assert connection.scalar(sa.text(recipients)) >= 1


def test_the_member_has_a_statement_of_the_month(run: Run) -> None:
    login = {"login": demo.MEMBER, "password": demo.PASSWORD}
    token = httpx.post(f"{run.base}/v1/sessions", json=login, timeout=30).json()["token"]
    answer = httpx.get(f"{run.base}/v1/me/statements", headers={"Authorization": f"Bearer {token}"}, timeout=30)
    (past,) = get(run, "/v1/races/history?limit=1")["items"]
    (statement,) = answer.json()["items"]
    assert statement["month"] == past["start_date"][:7]
    assert Decimal(statement["wagered"]) > 0
    assert Decimal(statement["rewards"]) == Decimal("32.50"), "the two grants of the demo data"
