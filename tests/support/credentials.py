"""What tests of log-in, passwords and mailed links share."""

import hashlib
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from goatedvips.domain import erased_identities
from goatedvips.domain.accounts import passwords
from goatedvips.domain.accounts.mail_requests import MAILS
from goatedvips.domain.notifications.composing import Links, compose
from goatedvips.domain.notifications.mail_texts import Message
from goatedvips.domain.notifications.sending import Mail
from goatedvips.models.accounts import attempts, sessions, users
from goatedvips.models.notifications import outbox
from tests.support.functions import Answer, Functions
from tests.support.members import Member

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
PASSWORD, NEW_PASSWORD = "goats like long walks", "sheep prefer short ones"
STORED = passwords.hash_password(PASSWORD, legacy=False)
BY_NODE = passwords.hash_password(PASSWORD, legacy=True)


def network_address() -> str:
    """One that no other test has used up."""
    return f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{secrets.randbelow(256)}"


def log_in(functions: Functions, login: str, password: str, now: datetime = NOON) -> Answer:
    """Try to, from anywhere."""
    body = {"login": login, "password": password}
    return functions.call("log_in", body=body, address=network_address(), now=now)


def also_signed_in(database: sa.Engine, member: Member) -> Member:
    """The same member with another session."""
    token = f"gvp_{secrets.token_urlsafe(32)}"
    now = datetime.now(UTC)
    values = {
        "user_id": member.id,
        "token_hash": hashlib.sha256(token.encode()).digest(),
        "created_at": now,
        "expires_at": now + timedelta(days=30),
    }
    with database.connect() as connection:
        made = connection.execute(sa.insert(sessions).values(values).returning(sessions.c.id))
        return replace(member, session_id=made.scalar_one(), token=token)


def is_live(functions: Functions, member: Member) -> bool:
    """Whether the session works, for the authorizer and for a function that writes."""
    context = functions.invoke("authorize", {"identitySource": [f"Bearer {member.token}"]})["context"]
    ticket = {"subject": "Am I here?", "description": "I hope so."}
    written = functions.call("open_ticket", by=member, body=ticket, now=datetime.now(UTC))
    assert (written.status == 201) == bool(context), written.text
    return bool(context)


def row(database: sa.Engine, member: Member) -> Any:
    """Return the member's row."""
    with database.connect() as connection:
        return connection.execute(sa.select(users).where(users.c.id == member.id)).one()


def mails(database: sa.Engine, email: str) -> list[Any]:
    """Return the mails that were queued for an e-mail address, in any case of its letters, oldest first."""
    same = sa.func.lower(outbox.c.address) == email.lower()
    with database.connect() as connection:
        return list(connection.execute(sa.select(outbox).where(same).order_by(outbox.c.id)))


def count_attempts(database: sa.Engine, subject: object, kind: str) -> int:
    """Return the number of attempts of this kind for a subject."""
    same = sa.select(sa.func.count()).where(attempts.c.subject == str(subject), attempts.c.kind == kind)
    with database.connect() as connection:
        return int(connection.scalar(same) or 0)


def count_mail_requests(database: sa.Engine, email: str, *kinds: str) -> int:
    """Return how many requests for mail to an address were recorded, of these kinds or of all that send mail."""
    subject = sa.select(sa.func.encode(erased_identities.identity("email", sa.literal(email)), "hex"))
    with database.connect() as connection:
        found = connection.scalar(subject)
    return sum(count_attempts(database, found, kind) for kind in kinds or MAILS)


def compose_mail(database: sa.Engine, mail: Any, now: datetime = NOON) -> Message | None:
    """Return the message that the sender makes of a row of the outbox; None: it drops the row."""
    leased = Mail(
        id=mail.id,
        kind=mail.kind,
        priority=mail.priority,
        user_id=mail.user_id,
        email=mail.address,
        payload=mail.payload,
        attempts=1,
        queued_at=mail.created_at,
        due_at=mail.due_at,
    )
    links = Links(pages="https://vip.example", tickets="https://vip.example/admin/tickets", staff_email="")
    with database.connect() as connection:
        message = compose(connection, leased, links, now=now)
    return message if isinstance(message, Message) else None


def token_in(message: Message | None, page: str) -> str:
    """What stands behind `#token=` in the link to a page."""
    assert message is not None
    (link,) = (line for line in message.text.split("\n") if line.startswith(f"https://vip.example{page}#token="))
    return link.partition("=")[2]


def problem(answer: Answer) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status, answer.json["code"]


def pointers(answer: Answer) -> list[str]:
    """Where a refused form is wrong."""
    assert answer.status == 422, answer.text
    return [error["pointer"] for error in answer.json["errors"]]
