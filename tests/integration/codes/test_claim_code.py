"""POST /v1/codes/claim: a member claims a bonus code."""

import json
import secrets
from collections.abc import Callable
from copy import replace
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
from tests.support.codes import Codes
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=30)
type Row = sa.Row[*tuple[Any, ...]]


@pytest.fixture
def code(codes: Codes) -> Callable[..., str]:
    """Inserts a code that can be claimed from NOON to LATER unless the columns differ, and returns its text."""
    return lambda **columns: codes.new(**{"expires_at": LATER} | columns).code


def stored(database: sa.Engine, code: str) -> tuple[Row, list[Row], list[Row]]:
    """The rows of the code, of its claims and of the rewards for them."""
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
        number_of_attempts = sa.select(sa.func.count()).where(
            attempts.c.kind == "claim", attempts.c.subject == str(member.id)
        )
        return int(connection.execute(number_of_attempts).scalar_one())


def assert_not_claimable(answer: Answer) -> None:
    assert (answer.status, answer.json["code"]) == (404, "code_not_claimable")


def test_a_claim_writes_its_row_the_counter_and_a_reward(
    members: Members, functions: Functions, database: sa.Engine, code: Callable[..., str]
) -> None:
    member, text = members.new(), code()
    answer = claim(functions, member, text)
    row, claims, granted = stored(database, text)
    assert answer.status == 201
    assert answer.json == {
        "id": claims[0].id,
        "code": text,
        "value": "5.00",
        "currency": "USD",
        "claimed_at": "2026-05-01T12:00:00Z",
        "expires_at": "2026-05-31T12:00:00Z",
    }
    assert [(row.user_id, row.claimed_at) for row in claims] == [(member.id, NOON)]
    assert (row.claims, row.is_used, row.claimed_at, row.user_id) == (1, True, NOON, None)
    assert [(reward.user_id, str(reward.amount), reward.currency, reward.created_at) for reward in granted] == [
        (member.id, "5.00", "USD", NOON)
    ]
    assert failures(database, member) == 0


def test_the_code_keeps_the_time_of_its_first_claim(
    members: Members, functions: Functions, database: sa.Engine, code: Callable[..., str]
) -> None:
    text = code(max_claims=2)
    for minute in (0, 1):
        assert claim(functions, members.new(), text, NOON + timedelta(minutes=minute)).status == 201
    row, claims, granted = stored(database, text)
    assert (row.claims, row.claimed_at, row.user_id) == (2, NOON, None)
    assert len(claims) == len(granted) == 2


def test_the_claimer_of_a_single_use_code_becomes_its_owner(
    members: Members, functions: Functions, database: sa.Engine, code: Callable[..., str]
) -> None:
    member, text = members.new(), code(max_claims=1)
    assert claim(functions, member, text).status == 201
    assert stored(database, text)[0].user_id == member.id


@pytest.mark.parametrize(
    ("issued", "typed"),
    [
        ("SUMMER-2026", "summer2026"),
        ("summer 2026", "SUMMER–2026"),  # noqa: RUF001 - word processors write this dash
        ("SuMmEr2026", "  S-U-M M-E-R\t2026\n"),
        ("SUMMER 2026", "summer\u00a02026"),
        ("SUMMER 2026", "\u200bsummer\u00ad\u2060-2026\ufeff"),  # invisible characters, as copied from a web page
        ("SUMMER-2026", "ｓｕｍｍｅｒ－２０２６"),  # noqa: RUF001 - full-width, from an East Asian keyboard
    ],
)
def test_case_spaces_dashes_and_invisible_characters_are_ignored(
    members: Members, functions: Functions, code: Callable[..., str], issued: str, typed: str
) -> None:
    unique = secrets.token_hex(6)
    answer = claim(functions, members.new(), typed + unique.upper(), NOON)
    assert_not_claimable(answer)
    text = code(code=issued + unique)
    answer = claim(functions, members.new(), typed + unique.upper(), NOON)
    assert (answer.status, answer.json["code"]) == (201, text)


def test_a_code_can_be_claimed_from_its_start_until_before_its_expiry(
    members: Members, functions: Functions, code: Callable[..., str]
) -> None:
    text = code(starts_at=NOON, expires_at=LATER)
    moment = timedelta(microseconds=1)
    assert_not_claimable(claim(functions, members.new(), text, NOON - moment))
    assert claim(functions, members.new(), text, NOON).status == 201
    assert claim(functions, members.new(), text, LATER - moment).status == 201
    assert_not_claimable(claim(functions, members.new(), text, LATER))


def test_claiming_again_answers_the_first_claim_even_if_the_code_can_no_longer_be_claimed(
    members: Members, functions: Functions, database: sa.Engine, code: Callable[..., str]
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
    row, claims, granted = stored(database, text)
    assert row.claims == len(claims) == len(granted) == 1
    assert failures(database, member) == 0


def test_every_reason_gives_the_same_answer_and_only_the_log_has_the_reason(
    members: Members,
    functions: Functions,
    database: sa.Engine,
    code: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
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
    answers = []
    for reason, text in reasons.items():
        capsys.readouterr()
        answer = claim(functions, member, text)
        assert_not_claimable(answer)
        answers.append({name: value for name, value in answer.json.items() if name != "request_id"})
        (line,) = capsys.readouterr().out.splitlines()
        assert json.loads(line)["reason"] == reason
    assert all(answer == answers[0] for answer in answers)
    assert failures(database, member) == len(reasons)
    for reason in ("expired", "not_started", "revoked", "anothers"):
        row, claims, granted = stored(database, reasons[reason])
        assert (row.claims, row.is_used, claims, granted) == (0, False, [], [])
        with database.connect() as connection:
            locker = connection.execute(sa.text("SELECT xmax::text FROM bonus_codes WHERE id = :id"), {"id": row.id})
            assert locker.scalar_one() == "0", "a row lock would have taken time, and time would reveal the reason"


def test_only_the_owner_can_claim_an_owned_code(
    members: Members, functions: Functions, database: sa.Engine, code: Callable[..., str]
) -> None:
    owner = members.new()
    text = code(user_id=owner.id)
    assert_not_claimable(claim(functions, members.new(), text))
    assert claim(functions, owner, text).status == 201
    assert stored(database, text)[0].user_id == owner.id


def test_an_adopted_code_can_be_claimed_once_without_a_reward(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    text, owner = f"OLD-{secrets.token_hex(6)}", members.new()
    with database.connect() as connection:  # as the legacy application writes it
        connection.execute(
            sa.text("INSERT INTO bonus_codes (code, user_id, expires_at) VALUES (:code, :user_id, :expires_at)"),
            {"code": text, "user_id": owner.id, "expires_at": LATER.replace(tzinfo=None)},
        )
    assert_not_claimable(claim(functions, members.new(), text))
    answer = claim(functions, owner, text)
    row, claims, granted = stored(database, text)
    assert (answer.status, answer.json["value"], answer.json["currency"]) == (201, None, "USD")
    assert (row.claims, row.is_used, len(claims), granted) == (1, True, 1, [])


def test_a_code_that_the_legacy_application_used_cannot_be_claimed(
    members: Members, functions: Functions, database: sa.Engine, code: Callable[..., str]
) -> None:
    text = code(is_used=True, max_claims=1)
    assert_not_claimable(claim(functions, members.new(), text))
    assert stored(database, text)[1] == []


@pytest.fixture
def win(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> Callable[[Member], tuple[int, str]]:
    """Let a member win 25 dollars, and return the ids of the spin and the code's text."""

    def win(member: Member) -> tuple[int, str]:
        with monkeypatch.context() as patch:
            patch.setattr(fairness, "draw", lambda *_: 2)
            spin = functions.call("spin_wheel", by=member, now=NOON).json
        return spin["id"], spin["reward_code"]

    return win


def ledger_of(database: sa.Engine, member: Member) -> list[tuple[str, int, str]]:
    rows = sa.select(rewards).where(rewards.c.user_id == member.id).order_by(rewards.c.id)
    with database.connect() as connection:
        return [(row.source_type, row.source_id, str(row.amount)) for row in connection.execute(rows)]


def test_the_ledger_gets_the_row_of_a_win_when_its_code_is_claimed(
    members: Members, functions: Functions, database: sa.Engine, win: Callable[[Member], tuple[int, str]]
) -> None:
    member = members.new()
    spin_id, won = win(member)
    assert ledger_of(database, member) == []
    assert_not_claimable(claim(functions, members.new(), won))
    answers = [claim(functions, member, won) for _ in range(2)]
    assert [(answer.status, answer.json["value"]) for answer in answers] == [(201, "25.00"), (200, "25.00")]
    assert ledger_of(database, member) == [("spin", spin_id, "25.00")]


BARRED: dict[str, dict[str, Any]] = {
    "excluded": {"excluded_until": LATER},
    "permanently": {"excluded_permanently": True},
    "unverified": {"email_verified": False},
}


@pytest.mark.parametrize("barred", BARRED)
def test_who_may_not_play_can_still_claim_what_they_won_and_no_other_code(
    members: Members,
    functions: Functions,
    database: sa.Engine,
    code: Callable[..., str],
    win: Callable[[Member], tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
    barred: str,
) -> None:
    member, winner = members.new(), members.new()
    spin_id, won = win(member)
    _, anothers = win(winner)
    owned, claimed = code(user_id=member.id, max_claims=1), code()
    assert claim(functions, member, claimed).status == 201
    members.change(member, **BARRED[barred])
    monkeypatch.setattr(api, "settings", replace(settings, verified_email_required=True))
    expected = (403, "email_unverified" if barred == "unverified" else "self_excluded")

    for other in (owned, anothers, code(), claimed, "no such code"):
        refused = claim(functions, member, other)
        assert (refused.status, refused.json["code"]) == expected, "the same for every code, so none can be told apart"
    assert failures(database, member) == 0
    assert [claim(functions, member, won).status for _ in range(2)] == [201, 200]
    assert ledger_of(database, member)[1:] == [("spin", spin_id, "25.00")]


def test_an_expired_win_of_an_excluded_member_is_refused_like_any_other(
    members: Members, functions: Functions, database: sa.Engine, win: Callable[[Member], tuple[int, str]]
) -> None:
    member = members.new()
    _, won = win(member)
    members.change(member, excluded_permanently=True)
    assert_not_claimable(claim(functions, member, won, NOON + timedelta(days=1)))
    assert failures(database, member) == 1
    assert ledger_of(database, member) == []


def test_a_suspended_winner_cannot_claim_what_they_won(
    members: Members, functions: Functions, win: Callable[[Member], tuple[int, str]]
) -> None:
    member = members.new()
    _, won = win(member)
    members.change(member, suspended_at=NOON)
    assert claim(functions, member, won).json["code"] == "account_suspended"


def test_ten_failures_in_ten_minutes_close_claiming_until_the_window_has_passed(
    members: Members, functions: Functions, database: sa.Engine, code: Callable[..., str]
) -> None:
    member, text, claimed = members.new(), code(), code()
    assert claim(functions, member, claimed).status == 201
    for second in range(10):
        assert_not_claimable(claim(functions, member, "guess", NOON + timedelta(seconds=second)))
    closed = claim(functions, member, text, NOON + timedelta(seconds=30))
    assert (closed.status, closed.json["code"]) == (429, "too_many_attempts")
    assert closed.headers["Retry-After"] == str(10 * 60 - 30)
    assert claim(functions, member, "guess", NOON + timedelta(seconds=30)).status == 429
    assert failures(database, member) == 10, "a refusal by the throttle is not counted"
    assert claim(functions, member, claimed, NOON + timedelta(seconds=30)).status == 200, (
        "the throttle does not apply to a code that the member has claimed"
    )
    assert claim(functions, members.new(), text, NOON + timedelta(seconds=30)).status == 201, (
        "the throttle applies to one member only"
    )
    last = NOON + timedelta(minutes=10) - timedelta(microseconds=1)
    refused = claim(functions, member, text, last)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    assert claim(functions, member, text, NOON + timedelta(minutes=10)).status == 201


def test_a_failure_is_recorded_with_the_member_and_the_client_network(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    member = members.new()
    claim(functions, member, "guess", address="2001:db8:1:2:3::9")
    with database.connect() as connection:
        row = connection.execute(sa.select(attempts).where(attempts.c.subject == str(member.id))).one()
    assert (row.kind, row.address, row.attempted_at) == ("claim", "2001:db8:1:2::/64", NOON)


def test_a_member_who_may_not_play_gets_the_reason_and_no_failure_is_counted(
    members: Members, functions: Functions, database: sa.Engine, code: Callable[..., str]
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


def test_an_unverified_member_is_refused_if_the_setting_requires_a_verified_email(
    members: Members, functions: Functions, code: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    member, text = members.new(email_verified=None), code()
    monkeypatch.setattr(api, "settings", replace(settings, verified_email_required=True))
    refused = claim(functions, member, text)
    assert (refused.status, refused.json["code"]) == (403, "email_unverified")
    members.change(member, email_verified=True)
    assert claim(functions, member, text).status == 201


def test_an_ended_session_is_refused_although_the_authorizer_still_accepts_it(
    members: Members, functions: Functions, code: Callable[..., str]
) -> None:
    member, text = members.new(), code()
    members.end_session(member)
    refused = claim(functions, member, text)
    assert (refused.status, refused.json["code"]) == (401, "unauthenticated")
    assert functions.call("claim_code", body={"code": text}).status == 401


def test_an_idempotency_key_repeats_a_claim_but_not_a_refusal(
    members: Members, functions: Functions, database: sa.Engine, code: Callable[..., str]
) -> None:
    member, text = members.new(), f"LATE-{secrets.token_hex(6)}"
    assert_not_claimable(claim(functions, member, text, key="once"))
    assert failures(database, member) == 1, "a refusal is counted with a key too"
    code(code=text)
    first = claim(functions, member, text, key="once")
    again = claim(functions, member, text, key="once")
    assert (first.status, again.status, first.text) == (201, 201, again.text)
    assert again.headers["Idempotency-Replayed"] == "true"


def test_a_text_that_no_code_has_is_not_claimable(
    members: Members, functions: Functions, database: sa.Engine, code: Callable[..., str]
) -> None:
    code(code="- -")  # an adopted code whose key is empty
    for text in ("", " ", "---", "–", "\t\n", "x" * 10_000, "🐐" * 1_000, "'; --", "%", "\\", "e\u0301"):  # noqa: RUF001
        assert_not_claimable(claim(functions, members.new(), text))


def test_an_invalid_body_is_refused_and_no_failure_is_counted(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
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
