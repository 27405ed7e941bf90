"""GET /v1/me/wheel shows a member the commitments to their server seeds before a spin."""

import hashlib
from datetime import UTC, datetime

import sqlalchemy as sa

from goatedvips.models.wheel import wheel_seeds
from tests.support.functions import Functions
from tests.support.members import Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_the_commitments_are_the_hashes_of_the_seeds_and_do_not_change(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new()
    shown = functions.call("get_my_wheel", by=member).json
    with database.connect() as connection:
        seeds = connection.execute(
            sa.select(wheel_seeds.c.server_seed)
            .where(wheel_seeds.c.user_id == member.id)
            .order_by(wheel_seeds.c.activated_at.is_(None))
        ).scalars()
        hashes = [hashlib.sha256(seed).hexdigest() for seed in seeds]
    assert [shown["server_seed_hash"], shown["next_server_seed_hash"]] == hashes
    assert (shown["nonce"], shown["client_seed"], shown["next_spin_at"]) == (0, str(member.id), None)
    assert functions.call("get_my_wheel", by=member).json == shown


def test_no_answer_contains_a_server_seed(functions: Functions, members: Members, database: sa.Engine) -> None:
    member = members.new()
    answers = functions.call("get_my_wheel", by=member).text + functions.call("spin_wheel", by=member).text
    with database.connect() as connection:
        seeds = connection.execute(sa.select(wheel_seeds.c.server_seed).where(wheel_seeds.c.user_id == member.id))
        assert not any(seed.hex() in answers for seed in seeds.scalars())


def test_after_a_spin_the_answer_has_the_time_of_the_next_one(functions: Functions, members: Members) -> None:
    member = members.new()
    functions.call("spin_wheel", by=member, body={"client_seed": "mine"}, now=NOON)
    shown = functions.call("get_my_wheel", by=member, now=NOON).json
    assert (shown["nonce"], shown["client_seed"]) == (1, "mine")
    assert shown["next_spin_at"] == "2026-05-02T00:00:00Z"
    tomorrow = functions.call("get_my_wheel", by=member, now=datetime(2026, 5, 2, tzinfo=UTC)).json
    assert tomorrow["next_spin_at"] is None


def test_an_adopted_member_gets_server_seeds_with_the_first_request(functions: Functions, members: Members) -> None:
    member = members.new(seeds=False)
    shown = functions.call("get_my_wheel", by=member).json
    assert len({shown["server_seed_hash"], shown["next_server_seed_hash"]}) == 2
    assert functions.call("get_my_wheel", by=member).json == shown


def test_an_anonymous_caller_and_an_ended_session_are_refused(functions: Functions, members: Members) -> None:
    assert functions.call("get_my_wheel").status == 401
    ended = members.new()
    members.end_session(ended)
    assert functions.call("get_my_wheel", by=ended).status == 401
