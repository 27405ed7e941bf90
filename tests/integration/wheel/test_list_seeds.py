"""GET /v1/wheel/seeds: a member's server seeds; a seed itself is shown only once it is revealed."""

import hashlib
import os
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from goatedvips.domain.wheel import history, rotation
from goatedvips.models.wheel import wheel_seeds
from tests.support import plans, stack
from tests.support.functions import Functions
from tests.support.members import Members
from tests.support.spins import Spins

NOON = datetime(2031, 5, 1, 12, tzinfo=UTC)


def test_the_upcoming_the_active_and_the_revealed_seed_are_shown(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new(session_lifetime=timedelta(days=3650))
    functions.call("spin_wheel", by=member, body={}, now=NOON)
    functions.call("rotate_seed", by=member, body={"client_seed": "mine"}, now=NOON)
    answer = functions.call("list_seeds", by=member)
    upcoming, active, revealed = answer.json["items"]
    mine = functions.call("get_my_wheel", by=member).json
    assert [upcoming["server_seed_hash"], active["server_seed_hash"]] == [
        mine["next_server_seed_hash"],
        mine["server_seed_hash"],
    ]
    assert (upcoming["activated_at"], upcoming["spins"], upcoming["server_seed"]) == (None, 0, None)
    assert (active["revealed_at"], active["server_seed"], active["chosen_client_seed"]) == (None, None, "mine")
    assert (revealed["spins"], revealed["chosen_client_seed"]) == (1, None)
    assert revealed["revealed_at"] == active["activated_at"] == upcoming["created_at"] == "2031-05-01T12:00:00Z"
    assert hashlib.sha256(bytes.fromhex(revealed["server_seed"])).hexdigest() == revealed["server_seed_hash"]
    with database.connect() as connection:
        secret = sa.select(wheel_seeds.c.server_seed).where(
            wheel_seeds.c.user_id == member.id, wheel_seeds.c.revealed_at.is_(None)
        )
        assert not any(seed.hex() in answer.text for seed in connection.scalars(secret))


def test_a_member_sees_no_seed_of_others_and_an_adopted_member_gets_none_by_looking(
    functions: Functions, members: Members
) -> None:
    members.new()
    assert functions.call("list_seeds", by=members.new(seeds=False)).json == {"items": [], "next_cursor": None}
    assert functions.call("list_seeds").status == 401


@pytest.mark.parametrize(
    "others", [1_000, 100_000], ids=["beside 1,000 rows of others", "beside 100,000 rows of others"]
)
def test_a_page_reads_its_own_rows_only(
    servers: stack.Stack, database: sa.Engine, members: Members, others: int
) -> None:
    """Neither other members' rows nor the member's own older ones are read."""
    member, other = members.new(seeds=False), members.new(seeds=False)
    seed, spin = Spins(database).revealed_seed(member.id, NOON), "segment_index, timestamp, version_id, seed_id, nonce"
    plans.fill(
        database,
        "INSERT INTO wheel_seeds (user_id, server_seed, client_seed, created_at, activated_at, revealed_at)"
        f" SELECT CASE WHEN n % 20 <> 0 THEN {other.id} ELSE {member.id} END, '', 'x', now(), now(), now()"
        f" FROM generate_series(1, {others}) n",
        f"INSERT INTO wheel_spins (user_id, client_seed, {spin})"
        f" SELECT CASE WHEN n % 20 <> 0 THEN {other.id} ELSE {member.id} END, 'c' || n % 7, 6, now(), 1, {seed}, n"
        f" FROM generate_series(1, {others}) n",
    )
    url = servers.direct(os.environ["TEST_DATABASE"], "api")
    parameters = {"caller_id": member.id, "after_id": 2**62, "page_rows": 21}
    try:
        read = plans.rows_read(url, rotation._select_seeds, parameters)
        assert read["wheel_seeds"] <= 21
        read = plans.rows_read(url, history._select_page, parameters)
        assert read["wheel_spins"] <= 21 * 2, "each spin, and the first use of its client seed"
        assert read["wheel_seeds"] <= 21 * 2
    finally:
        ours = f"user_id IN ({member.id}, {other.id})"
        plans.fill(database, *(f"DELETE FROM {table} WHERE {ours}" for table in ("wheel_spins", "wheel_seeds")))
