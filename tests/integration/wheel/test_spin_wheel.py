"""POST /v1/wheel/spins: a member spins the wheel."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from goatedvips.domain.wheel import fairness, spins
from goatedvips.models.codes import bonus_codes
from goatedvips.models.rewards import rewards
from goatedvips.models.wheel import wheel_seeds, wheel_spins
from tests.support.functions import Functions
from tests.support.members import Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LAST_MICROSECOND = datetime(2026, 5, 1, 23, 59, 59, 999_999, tzinfo=UTC)
NEXT_DAY = datetime(2026, 5, 2, tzinfo=UTC)


def fix_draw(monkeypatch: pytest.MonkeyPatch, index: int) -> None:
    monkeypatch.setattr(fairness, "draw", lambda *_: index)


def test_a_spin_agrees_with_the_commitment_that_was_shown_before_it(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    member = members.new()
    before = functions.call("get_my_wheel", by=member).json
    spin = functions.call("spin_wheel", by=member, body={"client_seed": "lucky"})
    assert spin.status == 201
    assert spin.json["fairness"] == {
        "server_seed_hash": before["server_seed_hash"],
        "client_seed": "lucky",
        "client_seed_by": "member",
        "nonce": 0,
        "server_seed": None,
    }
    segments = functions.call("get_wheel").json["segments"]
    with database.connect() as connection:
        seed = connection.execute(
            sa.select(wheel_seeds.c.server_seed).where(
                wheel_seeds.c.user_id == member.id, wheel_seeds.c.activated_at.is_not(None)
            )
        ).scalar_one()
    drawn = fairness.draw(seed, "lucky", 0, [segment["weight"] for segment in segments])
    assert spin.json["segment_index"] == drawn
    assert spin.json["segment"] == {key: segments[drawn][key] for key in ("label", "weight", "value")}


def test_a_win_writes_a_bonus_code_and_no_reward_yet(
    members: Members, functions: Functions, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fix_draw(monkeypatch, 2)
    member = members.new()
    answer = functions.call("spin_wheel", by=member, now=NOON).json
    assert answer["segment"]["value"] == "25.00"
    with database.connect() as connection:
        code = connection.execute(sa.select(bonus_codes).where(bonus_codes.c.spin_id == answer["id"])).one()
        granted = connection.execute(sa.select(rewards).where(rewards.c.user_id == member.id)).all()
    assert (code.code, code.user_id, code.max_claims) == (answer["reward_code"], member.id, 1)
    assert code.expires_at == NOON + spins.WIN_CODE_LIFETIME
    assert granted == []


def test_a_loss_writes_neither_a_code_nor_a_reward(
    members: Members, functions: Functions, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fix_draw(monkeypatch, 6)
    member = members.new()
    answer = functions.call("spin_wheel", by=member).json
    assert answer["reward_code"] is None
    assert answer["segment"]["value"] == "0.00"
    with database.connect() as connection:
        assert connection.execute(sa.select(rewards).where(rewards.c.user_id == member.id)).all() == []


def test_the_second_spin_of_a_day_is_refused_with_the_id_of_the_first(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    member = members.new()
    first = functions.call("spin_wheel", by=member, now=NOON).json
    again = functions.call("spin_wheel", by=member, now=LAST_MICROSECOND)
    assert (again.status, again.json["code"]) == (409, "already_spun")
    assert again.json["spin_id"] == first["id"]
    assert again.json["next_spin_at"] == first["next_spin_at"] == "2026-05-02T00:00:00Z"
    next_day = functions.call("spin_wheel", by=member, now=NEXT_DAY).json
    assert next_day["fairness"]["nonce"] == 1, "the refused spin used no nonce"
    with database.connect() as connection:
        spins = connection.execute(sa.select(wheel_spins.c.spin_day).where(wheel_spins.c.user_id == member.id))
        assert len(spins.all()) == 2


def test_a_spin_without_a_client_seed_uses_the_last_one(members: Members, functions: Functions) -> None:
    member = members.new()
    seeds = [
        functions.call("spin_wheel", by=member, now=datetime(2026, 5, day, tzinfo=UTC), body=body).json["fairness"][
            "client_seed"
        ]
        for day, body in ((1, {}), (2, {"client_seed": "mine"}), (3, {"client_seed": None}))
    ]
    assert seeds == [str(member.id), "mine", "mine"]


def test_an_adopted_member_gets_server_seeds_with_the_first_spin(members: Members, functions: Functions) -> None:
    member = members.new(seeds=False)
    spin = functions.call("spin_wheel", by=member)
    assert spin.status == 201
    assert (
        spin.json["fairness"]["server_seed_hash"] == functions.call("get_my_wheel", by=member).json["server_seed_hash"]
    )


def test_a_member_who_may_not_play_gets_the_reason_and_keeps_the_spin(members: Members, functions: Functions) -> None:
    for columns, expected in (
        ({"suspended_at": NOON}, (403, "account_suspended")),
        ({"excluded_until": NOON}, (403, "self_excluded")),
        ({"excluded_permanently": True}, (403, "self_excluded")),
    ):
        member = members.new(**columns)
        refused = functions.call("spin_wheel", by=member)
        assert (refused.status, refused.json["code"]) == expected
        members.change(member, suspended_at=None, excluded_until=None, excluded_permanently=False)
        assert functions.call("spin_wheel", by=member).status == 201


def test_an_ended_session_is_refused_although_the_authorizer_still_accepts_it(
    members: Members, functions: Functions
) -> None:
    member = members.new()
    members.end_session(member)
    refused = functions.call("spin_wheel", by=member)
    assert (refused.status, refused.json["code"]) == (401, "unauthenticated")


def test_an_invalid_body_is_refused_and_does_not_use_up_the_spin(members: Members, functions: Functions) -> None:
    member = members.new()
    for raw, status, pointers in (
        ('{"client_seed": "two words"}', 422, ["/client_seed"]),
        ('{"client_seed": 7}', 422, ["/client_seed"]),
        ('{"client_seed": "a", "segment_index": 0}', 422, ["/segment_index"]),
        ("[]", 422, [""]),
        ("{", 400, None),
        ("NaN", 400, None),
        ("[" * 30_000, 400, None),
        ('"' + "a" * 65_536 + '"', 413, None),
    ):
        answer = functions.call("spin_wheel", by=member, raw=raw)
        assert answer.status == status, raw[:40]
        assert answer.headers["Content-Type"] == "application/problem+json"
        if pointers is not None:
            assert [error["pointer"] for error in answer.json["errors"]] == pointers
    assert functions.call("spin_wheel", by=member).status == 201
