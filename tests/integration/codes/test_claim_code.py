"""A member claims a bonus code."""

import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.config import settings
from goatedvips.domain.wheel import fairness
from goatedvips.http import api
from goatedvips.models.accounts import attempts
from goatedvips.models.codes import bonus_codes, code_claims
from goatedvips.models.rewards import rewards
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=30)
type Row = sa.Row[*tuple[Any, ...]]
type Code = Callable[..., str]


@pytest.fixture
def code(database: sa.Engine) -> Code:
    """Writes a code, claimable at NOON by anyone unless told otherwise; gives its text."""

    def write(code: str | None = None, **columns: object) -> str:
        text = code or f"CODE-{secrets.token_hex(8)}"
        given = {"expires_at": LATER, "claimed_at": NOON - timedelta(days=1), "value": "5.00", "max_claims": None}
        with database.connect() as connection:
            connection.execute(
                sa.insert(bonus_codes).values(given | {"code_key": sa.func.code_key(text)} | columns | {"code": text})
            )
        return text

    return write


def kept(database: sa.Engine, code: str) -> tuple[Row, list[Row], list[Row]]:
    """The code with its claims and rewards, as they stand in the tables."""
    with database.connect() as connection:
        row = connection.execute(sa.select(bonus_codes).where(bonus_codes.c.code == code)).one()
        claims = connection.execute(sa.select(code_claims).where(code_claims.c.code_id == row.id)).all()
        granted = connection.execute(
            sa.select(rewards).where(rewards.c.source_type == "code", rewards.c.source_id == row.id)
        ).all()
    return row, list(claims), list(granted)


def claim(
    functions: Functions,
    by: Member,
    code: str,
    now: datetime = NOON,
    *,
    key: str | None = None,
    address: str | None = None,
) -> Answer:
    headers = {"idempotency-key": key} if key else {}
    return functions.call("claim_code", by=by, body={"code": code}, now=now, headers=headers, address=address)


def failures(database: sa.Engine, member: Member) -> int:
    with database.connect() as connection:
        counted = sa.select(sa.func.count()).where(attempts.c.kind == "claim", attempts.c.subject == str(member.id))
        return int(connection.execute(counted).scalar_one())


def assert_not_claimable(answer: Answer) -> None:
    assert (answer.status, answer.json["code"]) == (404, "code_not_claimable")


def test_a_claim_is_a_row_that_counts_and_a_reward(
    members: Members, functions: Functions, database: sa.Engine, code: Code
) -> None:
    member, text = members.new(), code()
    answer = claim(functions, member, text)
    row, claims, granted = kept(database, text)
    assert answer.status == 201
    assert answer.json == {
        "id": claims[0].id,
        "code": text,
        "value": "5.00",
        "currency": "USD",
        "claimed_at": "2026-05-01T12:00:00Z",
        "expires_at": "2026-05-31T12:00:00Z",
    }
    assert [(kept_claim.user_id, kept_claim.claimed_at) for kept_claim in claims] == [(member.id, NOON)]
    assert (row.claims, row.is_used, row.claimed_at, row.user_id) == (1, True, NOON, None)
    assert [(reward.user_id, str(reward.amount), reward.currency, reward.created_at) for reward in granted] == [
        (member.id, "5.00", "USD", NOON)
    ]
    assert failures(database, member) == 0


def test_the_time_of_the_first_claim_stays_the_codes(
    members: Members, functions: Functions, database: sa.Engine, code: Code
) -> None:
    text = code(max_claims=2)
    for minute in (0, 1):
        assert claim(functions, members.new(), text, NOON + timedelta(minutes=minute)).status == 201
    row, claims, granted = kept(database, text)
    assert (row.claims, row.claimed_at, row.user_id) == (2, NOON, None)
    assert len(claims) == len(granted) == 2


def test_the_single_claimer_becomes_the_codes_member(
    members: Members, functions: Functions, database: sa.Engine, code: Code
) -> None:
    member, text = members.new(), code(max_claims=1)
    assert claim(functions, member, text).status == 201
    assert kept(database, text)[0].user_id == member.id


@pytest.mark.parametrize(
    ("issued", "typed"),
    [
        ("SUMMER-2026", "summer2026"),
        ("summer 2026", "SUMMER–2026"),  # noqa: RUF001 - a dash that a text program makes
        ("SuMmEr2026", "  S-U-M M-E-R\t2026\n"),
        ("SUMMER 2026", "summer\u00a02026"),
    ],
)
def test_case_spaces_and_dashes_do_not_matter(
    members: Members, functions: Functions, code: Code, issued: str, typed: str
) -> None:
    unique = secrets.token_hex(6)
    answer = claim(functions, members.new(), typed + unique.upper(), NOON)
    assert_not_claimable(answer)
    text = code(code=issued + unique)
    answer = claim(functions, members.new(), typed + unique.upper(), NOON)
    assert (answer.status, answer.json["code"]) == (201, text)


def test_the_window_is_half_open(members: Members, functions: Functions, code: Code) -> None:
    text = code(starts_at=NOON, expires_at=LATER)
    moment = timedelta(microseconds=1)
    assert_not_claimable(claim(functions, members.new(), text, NOON - moment))
    assert claim(functions, members.new(), text, NOON).status == 201
    assert claim(functions, members.new(), text, LATER - moment).status == 201
    assert_not_claimable(claim(functions, members.new(), text, LATER))


def test_the_holder_gets_the_first_claim_again_whatever_became_of_the_code(
    members: Members, functions: Functions, database: sa.Engine, code: Code
) -> None:
    member, text = members.new(), code(max_claims=1)
    first = claim(functions, member, text)
    changes: list[dict[str, Any]] = [{}, {"revoked_at": NOON}, {"starts_at": LATER}, {"expires_at": LATER}]
    for columns in changes:
        with database.connect() as connection:
            connection.execute(
                sa.update(bonus_codes).where(bonus_codes.c.code == text).values({"id": bonus_codes.c.id} | columns)
            )
        again = claim(functions, member, text.lower(), LATER + timedelta(days=1))
        assert (again.status, again.json) == (200, first.json)
    row, claims, granted = kept(database, text)
    assert row.claims == len(claims) == len(granted) == 1
    assert failures(database, member) == 0


def test_every_reason_gives_the_same_answer_and_only_the_log_tells_it(
    members: Members, functions: Functions, database: sa.Engine, code: Code, caplog: pytest.LogCaptureFixture
) -> None:
    member, other = members.new(), members.new()
    exhausted = code(max_claims=1)
    assert claim(functions, other, exhausted).status == 201
    reasons = {
        "absent": "no such code",
        "expired": code(expires_at=NOON),
        "not_started": code(starts_at=LATER, expires_at=LATER + timedelta(days=1)),
        "exhausted": exhausted,
        "revoked": code(revoked_at=NOON),
        "anothers": code(user_id=other.id, max_claims=1),
    }
    told = []
    with caplog.at_level(logging.INFO):
        for reason, text in reasons.items():
            caplog.clear()
            answer = claim(functions, member, text)
            assert_not_claimable(answer)
            told.append({name: value for name, value in answer.json.items() if name != "request_id"})
            assert [vars(line)["reason"] for line in caplog.records if line.message == "answered"] == [reason]
    assert all(answer == told[0] for answer in told)
    assert failures(database, member) == len(reasons)
    for reason in ("expired", "not_started", "revoked", "anothers"):
        row, claims, granted = kept(database, reasons[reason])
        assert (row.claims, row.is_used, claims, granted) == (0, False, [], [])
        with database.connect() as connection:
            locker = connection.execute(sa.text("SELECT xmax::text FROM bonus_codes WHERE id = :id"), {"id": row.id})
            assert locker.scalar_one() == "0", "not even a lock was written, whose time would tell"


def test_only_the_owner_can_claim_an_owned_code(
    members: Members, functions: Functions, database: sa.Engine, code: Code
) -> None:
    owner = members.new()
    text = code(user_id=owner.id)
    assert_not_claimable(claim(functions, members.new(), text))
    assert claim(functions, owner, text).status == 201
    assert kept(database, text)[0].user_id == owner.id


def test_an_adopted_code_has_one_use_and_no_reward(members: Members, functions: Functions, database: sa.Engine) -> None:
    text, owner = f"OLD-{secrets.token_hex(6)}", members.new()
    with database.connect() as connection:  # as the guide's application writes it
        connection.execute(
            sa.text("INSERT INTO bonus_codes (code, user_id, expires_at) VALUES (:code, :user_id, :expires_at)"),
            {"code": text, "user_id": owner.id, "expires_at": LATER.replace(tzinfo=None)},
        )
    assert_not_claimable(claim(functions, members.new(), text))
    answer = claim(functions, owner, text)
    row, claims, granted = kept(database, text)
    assert (answer.status, answer.json["value"], answer.json["currency"]) == (201, None, "USD")
    assert (row.claims, row.is_used, len(claims), granted) == (1, True, 1, [])


def test_a_code_that_the_guides_application_used_meanwhile_is_used(
    members: Members, functions: Functions, database: sa.Engine, code: Code
) -> None:
    text = code(is_used=True, max_claims=1)
    assert_not_claimable(claim(functions, members.new(), text))
    assert kept(database, text)[1] == []


def test_claiming_a_wheels_win_grants_nothing_twice(
    members: Members, functions: Functions, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fairness, "draw", lambda *_: 2)
    member = members.new()
    won = functions.call("spin_wheel", by=member, now=NOON).json["reward_code"]
    assert_not_claimable(claim(functions, members.new(), won))
    answer = claim(functions, member, won)
    assert (answer.status, answer.json["value"]) == (201, "25.00")
    with database.connect() as connection:
        granted = connection.execute(sa.select(rewards.c.source_type).where(rewards.c.user_id == member.id))
        assert granted.scalars().all() == ["spin"]


def test_ten_failures_in_ten_minutes_close_claiming_until_the_window_has_passed(
    members: Members, functions: Functions, database: sa.Engine, code: Code
) -> None:
    member, text, held = members.new(), code(), code()
    assert claim(functions, member, held).status == 201
    for second in range(10):
        assert_not_claimable(claim(functions, member, "guess", NOON + timedelta(seconds=second)))
    closed = claim(functions, member, text, NOON + timedelta(seconds=30))
    assert (closed.status, closed.json["code"]) == (429, "too_many_attempts")
    assert closed.headers["Retry-After"] == str(10 * 60 - 30)
    assert claim(functions, member, "guess", NOON + timedelta(seconds=30)).status == 429
    assert failures(database, member) == 10, "what was refused unseen is not counted"
    assert claim(functions, member, held, NOON + timedelta(seconds=30)).status == 200, "it is theirs already"
    assert claim(functions, members.new(), text, NOON + timedelta(seconds=30)).status == 201, "others are not meant"
    last = NOON + timedelta(minutes=10) - timedelta(microseconds=1)
    refused = claim(functions, member, text, last)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    assert claim(functions, member, text, NOON + timedelta(minutes=10)).status == 201


def test_a_failure_is_counted_for_the_member_with_the_address(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    member = members.new()
    claim(functions, member, "guess", address="2001:db8:1:2:3::9")
    with database.connect() as connection:
        row = connection.execute(sa.select(attempts).where(attempts.c.subject == str(member.id))).one()
    assert (row.kind, row.address, row.attempted_at) == ("claim", "2001:db8:1:2::/64", NOON)


def test_who_may_not_play_is_told_why_and_counts_no_failure(
    members: Members, functions: Functions, database: sa.Engine, code: Code
) -> None:
    text = code()
    for columns, expected in (
        ({"suspended_at": NOON}, (403, "account_suspended")),
        ({"excluded_until": NOON - timedelta(days=9)}, (403, "self_excluded")),
        ({"excluded_permanently": True}, (403, "self_excluded")),
    ):
        member = members.new(**columns)
        refused = claim(functions, member, text)
        assert (refused.status, refused.json["code"]) == expected
        members.change(member, suspended_at=None, excluded_until=None, excluded_permanently=False)
        assert failures(database, member) == 0
        assert claim(functions, member, text).status == 201


def test_an_unverified_address_is_refused_where_the_platform_asks_for_it(
    members: Members, functions: Functions, code: Code, monkeypatch: pytest.MonkeyPatch
) -> None:
    member, text = members.new(email_verified=None), code()
    monkeypatch.setattr(api, "settings", replace(settings, verified_email_required=True))
    refused = claim(functions, member, text)
    assert (refused.status, refused.json["code"]) == (403, "email_unverified")
    members.change(member, email_verified=True)
    assert claim(functions, member, text).status == 201


def test_an_ended_session_is_refused_although_the_authorizer_still_knows_it(
    members: Members, functions: Functions, code: Code
) -> None:
    member, text = members.new(), code()
    members.end_session(member)
    refused = claim(functions, member, text)
    assert (refused.status, refused.json["code"]) == (401, "unauthenticated")
    assert functions.call("claim_code", body={"code": text}).status == 401


def test_a_key_repeats_a_claim_and_keeps_no_refusal(
    members: Members, functions: Functions, database: sa.Engine, code: Code
) -> None:
    member, text = members.new(), f"LATE-{secrets.token_hex(6)}"
    assert_not_claimable(claim(functions, member, text, key="once"))
    assert failures(database, member) == 1, "what a refusal leaves is left with a key too"
    code(code=text)
    first = claim(functions, member, text, key="once")
    again = claim(functions, member, text, key="once")
    assert (first.status, again.status, first.text) == (201, 201, again.text)
    assert again.headers["Idempotency-Replayed"] == "true"


def test_texts_that_no_code_has_are_no_errors(
    members: Members, functions: Functions, database: sa.Engine, code: Code
) -> None:
    code(code="- -")  # adopted: its key is empty
    for text in ("", " ", "---", "–", "\t\n", "x" * 10_000, "🐐" * 1_000, "'; --", "%", "\\", "e\u0301"):  # noqa: RUF001
        assert_not_claimable(claim(functions, members.new(), text))


def test_a_wrong_body_claims_nothing(members: Members, functions: Functions, database: sa.Engine) -> None:
    member = members.new()
    for raw, status, pointers in (
        ("{}", 422, ["/code"]),
        ('{"code": null}', 422, ["/code"]),
        ('{"code": 5}', 422, ["/code"]),
        ('{"code": ["A"]}', 422, ["/code"]),
        ('{"code": "A\\u0000B"}', 422, ["/code"]),
        ('{"code": "A\\ud800"}', 422, ["/code"]),
        ('{"code": "A", "user_id": 1}', 422, ["/user_id"]),
        ("[]", 422, [""]),
        ("{", 400, None),
        ('{"code": "' + "a" * 65_536 + '"}', 413, None),
    ):
        answer = functions.call("claim_code", by=member, raw=raw)
        assert answer.status == status, raw[:40]
        if pointers is not None:
            assert [error["pointer"] for error in answer.json["errors"]] == pointers
    assert failures(database, member) == 0
