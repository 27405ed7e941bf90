"""The questions of `benchmarks.timing`: pairs of requests whose answers must not differ, not even in time."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from goatedvips.models.accounts import users
from goatedvips.models.newsletter import newsletter_subscriptions as subscriptions
from goatedvips.models.notifications import mail_blocks

ACCOUNTS = 20
PASSWORD, WRONG = "goats like long walks", "sheep prefer short ones"

type Pair = tuple[dict[str, Any], dict[str, Any]]
"""Two requests, each as changes of the function's sample event."""


@dataclass(frozen=True)
class Question:
    """One question.

    Parameters
    ----------
    name: what the requests of a pair have, as "one or the other".
    function: the name of the function that they are sent to.
    pair: a function from the number of a pair, which is negative while the function warms up, to the pair.
    expected: a text that every answer's body contains.
    """

    name: str
    function: str
    pair: Callable[[int], Pair]
    expected: str


def log_in_questions(database: sa.Engine, _: int) -> Iterator[Question]:
    """Ask whether the name of a refused log-in has an account, in both formats that a password is stored in."""
    from goatedvips.domain.accounts import passwords  # noqa: PLC0415 - these read the settings, which exist only now
    from tests.support.members import Members  # noqa: PLC0415

    for stored_as, legacy in (("argon2id", False), ("scrypt", True)):
        stored = [passwords.hash_password(PASSWORD, legacy=legacy) for _ in range(ACCOUNTS)]
        names = [Members(database).new(password=password).username for password in stored]
        yield log_in_question(f"account or none, {stored_as}", names)


def log_in_question(name: str, accounts: list[str]) -> Question:
    """Return the question for log-ins by a name of these, and by another name that is as long."""

    def pair(number: int) -> Pair:
        account = accounts[number % len(accounts)]
        nobody = f"nobody-{secrets.token_hex(16)}"[: len(account)]
        return ({"body": {"login": account, "password": WRONG}}, {"body": {"login": nobody, "password": WRONG}})

    return Question(name, "log_in", pair, "invalid_credentials")


def reset_questions(database: sa.Engine, pairs: int) -> Iterator[Question]:
    """Ask whether the address of a requested reset has an account."""
    emails = [_new_email() for _ in range(pairs)]
    with database.connect() as connection:
        rows = [
            {
                "username": email[:16],
                "username_key": email[:16],
                "email": email,
                "email_key": email,
                "password": "unusable",
            }
            for email in emails
        ]
        connection.execute(sa.insert(users).values(rows))
        connection.execute(sa.text("VACUUM ANALYZE"))
    yield Question("account or none, reset", "request_password_reset", _emails(emails), "requested")


def newsletter_questions(database: sa.Engine, pairs: int) -> Iterator[Question]:
    """Ask what is known of the address of a subscription request."""
    now = datetime.now(UTC)
    states: dict[str, tuple[sa.Table, dict[str, object]]] = {
        "subscribed": (subscriptions, {"is_subscribed": True, "confirmed_at": now}),
        "pending": (subscriptions, {"is_subscribed": False, "confirmation_sent_at": now}),
        "unsubscribed": (subscriptions, {"is_subscribed": False, "unsubscribed_at": now}),
        "bounced": (mail_blocks, {"bounced_at": now}),
        "excluded": (users, {"excluded_permanently": True, "password": ""}),
    }
    for state, (table, columns) in states.items():
        emails = [_new_email() for _ in range(pairs)]
        with database.connect() as connection:
            rows = [_row(table, email, columns) for email in emails]
            connection.execute(sa.insert(table).values(rows))
            connection.execute(sa.text("VACUUM ANALYZE"))
        yield Question(f"{state} or unknown", "subscribe", _emails(emails), "pending")


def _row(table: sa.Table, email: str, columns: dict[str, object]) -> dict[str, object]:
    given: dict[str, object] = {"email": email, "email_key": email, "username": email, "username_key": email}
    return {name: value for name, value in (given | columns).items() if name in table.c}


def code_questions(database: sa.Engine, pairs: int) -> Iterator[Question]:
    """Ask whether a code that the member cannot claim exists, for each reason why it cannot be claimed."""
    from tests.support.codes import Codes  # noqa: PLC0415 - it reads the settings, which exist only now
    from tests.support.members import Member, Members  # noqa: PLC0415

    now, members, codes = datetime.now(UTC), Members(database), Codes(database)
    reasons: dict[str, dict[str, object]] = {
        "exhausted": {"max_claims": 1, "claims": 1, "is_used": True},
        "expired": {"expires_at": now - timedelta(days=1)},
        "another's": {"user_id": members.new().id, "max_claims": 1},
        "revoked": {"revoked_at": now},
        "not started": {"starts_at": now + timedelta(days=1)},
    }
    for reason, columns in reasons.items():
        texts = [codes.new(**columns).code for _ in range(ACCOUNTS)]
        # A member for each pair, because ten failed claims of one close the throttle.
        claimers = [members.new(seeds=False) for _ in range(pairs)]
        with database.connect() as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))

        def pair(number: int, texts: list[str] = texts, claimers: list[Member] = claimers) -> Pair:
            existing = texts[number % ACCOUNTS]
            absent = f"CODE-{secrets.token_hex(16)}"[: len(existing)]
            by = claimers[number]
            return ({"by": by, "body": {"code": existing}}, {"by": by, "body": {"code": absent}})

        yield Question(f"{reason} code or none", "claim_code", pair, "code_not_claimable")


def _emails(known: list[str]) -> Callable[[int], Pair]:
    return lambda number: ({"body": {"email": known[number]}}, {"body": {"email": _new_email()}})


def _new_email() -> str:
    """Return an address that nobody has, always of the same length."""
    return f"{secrets.token_hex(8)}@example.com"


QUESTIONS: dict[str, Callable[[sa.Engine, int], Iterator[Question]]] = {
    "log_in": log_in_questions,
    "resets": reset_questions,
    "newsletter": newsletter_questions,
    "codes": code_questions,
}
"""By what they are about: functions that prepare as many pairs as are given, and yield the questions."""
