"""POST /v1/wheel/seeds reveals a member's active server seed and activates the upcoming one."""

import hashlib
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from goatedvips.domain.wheel import fairness
from goatedvips.models.wheel import wheel_seeds
from tests.support.functions import Functions
from tests.support.members import Member, Members
from tests.support.spins import weights_of

START = datetime(2031, 5, 1, 12, tzinfo=UTC)
YEARS = timedelta(days=3650)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def spin(functions: Functions, member: Member, number: int, client_seed: str | None = None) -> dict[str, object]:
    answer = functions.call("spin_wheel", by=member, now=day(number), body={"client_seed": client_seed})
    assert answer.status == 201, answer.text
    found: dict[str, object] = answer.json["fairness"]
    return found


def test_a_rotation_reveals_the_seed_of_the_spins_and_activates_the_one_that_was_shown_as_next(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new(session_lifetime=YEARS)
    before = functions.call("get_my_wheel", by=member).json
    drawn = [
        functions.call("spin_wheel", by=member, now=day(number), body={"client_seed": f"my-{number}"}).json
        for number in range(2)
    ]
    rotated = functions.call("rotate_seed", by=member, now=day(1), body={})
    assert rotated.status == 201, rotated.text
    revealed = rotated.json["revealed"]
    seed = bytes.fromhex(revealed["server_seed"])
    assert hashlib.sha256(seed).hexdigest() == revealed["server_seed_hash"] == before["server_seed_hash"]
    assert (revealed["spins"], revealed["revealed_at"]) == (2, "2031-05-02T12:00:00Z")
    assert [fairness.draw(seed, f"my-{number}", number, weights_of(database)) for number in range(2)] == [
        answer["segment_index"] for answer in drawn
    ]
    after = functions.call("get_my_wheel", by=member, now=day(2)).json
    assert after["server_seed_hash"] == rotated.json["server_seed_hash"] == before["next_server_seed_hash"]
    assert after["next_server_seed_hash"] == rotated.json["next_server_seed_hash"]
    assert len({before["server_seed_hash"], after["server_seed_hash"], after["next_server_seed_hash"]}) == 3
    assert (after["nonce"], after["client_seed"], rotated.json["client_seed"]) == (0, "my-1", "my-1")
    assert spin(functions, member, 2) == {
        "server_seed_hash": before["next_server_seed_hash"],
        "client_seed": "my-1",
        "client_seed_by": "member",  # the first two server seeds were made before its first use
        "nonce": 0,
        "server_seed": None,
    }


def test_a_client_seed_of_a_rotation_is_used_by_the_next_spins_and_known_to_later_seeds(
    functions: Functions, members: Members
) -> None:
    member = members.new(session_lifetime=YEARS)
    assert spin(functions, member, 0)["client_seed_by"] == "house", "the member's id"
    assert functions.call("rotate_seed", by=member, now=day(0), body={"client_seed": "chosen"}).status == 201
    first = spin(functions, member, 1)
    assert (first["client_seed"], first["client_seed_by"]) == ("chosen", "member")
    spin(functions, member, 2, "other")
    assert functions.call("rotate_seed", by=member, now=day(2), body={}).status == 201
    # This server seed was made by the rotation that brought the value. No spin had used it before.
    again = spin(functions, member, 3, "chosen")
    assert (again["client_seed"], again["client_seed_by"]) == ("chosen", "house")
    assert spin(functions, member, 4, "new")["client_seed_by"] == "member"


def test_a_seed_without_a_spin_is_not_rotated(functions: Functions, members: Members, database: sa.Engine) -> None:
    for member in (members.new(), members.new(seeds=False)):
        refused = functions.call("rotate_seed", by=member)
        assert (refused.status, refused.json["code"]) == (409, "seed_unused")
    member = members.new(session_lifetime=YEARS)
    spin(functions, member, 0)
    assert functions.call("rotate_seed", by=member, now=day(0)).status == 201
    assert functions.call("rotate_seed", by=member, now=day(0)).json["code"] == "seed_unused"
    with database.connect() as connection:
        seeds = connection.execute(sa.select(wheel_seeds).where(wheel_seeds.c.user_id == member.id)).all()
    assert [seed.revealed_at is not None for seed in seeds].count(True) == 1
    assert len(seeds) == 3


def test_a_repeated_request_with_the_same_key_reveals_one_seed(functions: Functions, members: Members) -> None:
    member = members.new(session_lifetime=YEARS)
    spin(functions, member, 0)
    key = {"idempotency-key": "one"}
    first, again = (functions.call("rotate_seed", by=member, now=day(0), headers=key) for _ in range(2))
    assert (first.status, again.status, again.text) == (201, 201, first.text)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert functions.call("list_seeds", by=member).json["items"][-1]["server_seed"] in first.text


def test_an_excluded_member_can_have_their_seed_revealed(functions: Functions, members: Members) -> None:
    member = members.new(session_lifetime=YEARS)
    spin(functions, member, 0)
    members.change(member, excluded_permanently=True)
    assert functions.call("rotate_seed", by=member, now=day(0)).status == 201


def test_a_caller_without_the_right_reveals_nothing(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    ended, suspended = (members.new(session_lifetime=YEARS) for _ in range(2))
    for member in (ended, suspended):
        spin(functions, member, 0)
    members.end_session(ended)
    members.change(suspended, suspended_at=START)
    for caller, status, code in ((None, 401, "unauthenticated"), (ended, 401, "unauthenticated")):
        refused = functions.call("rotate_seed", by=caller, now=day(0))
        assert (refused.status, refused.json["code"]) == (status, code)
    refused = functions.call("rotate_seed", by=suspended, now=day(0))
    assert (refused.status, refused.json["code"]) == (403, "account_suspended")
    with database.connect() as connection:
        owners = wheel_seeds.c.user_id.in_([ended.id, suspended.id])
        assert (
            connection.execute(sa.select(wheel_seeds).where(owners, wheel_seeds.c.revealed_at.is_not(None))).all() == []
        )


def test_an_invalid_body_is_refused(functions: Functions, members: Members) -> None:
    member = members.new(session_lifetime=YEARS)
    spin(functions, member, 0)
    for raw, pointer in (
        ('{"client_seed": "two words"}', "/client_seed"),
        ('{"client_seed": ""}', "/client_seed"),
        (f'{{"client_seed": "{"a" * 65}"}}', "/client_seed"),
        ('{"client_seed": "a\\n"}', "/client_seed"),
        ('{"server_seed": "a"}', "/server_seed"),
    ):
        answer = functions.call("rotate_seed", by=member, now=day(0), raw=raw)
        assert (answer.status, [error["pointer"] for error in answer.json["errors"]]) == (422, [pointer]), raw
    assert functions.call("list_seeds", by=member).json["items"][-1]["revealed_at"] is None
