"""Whatever the state of an address, a request for the newsletter is answered by the same bytes and statements."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips import db
from goatedvips.domain import erased_identities
from goatedvips.models.accounts import attempts
from goatedvips.models.accounts import erased_identities as remembered
from goatedvips.models.notifications import mail_blocks, outbox
from tests.integration.newsletter.test_subscribe import HOUR, NOON, adopt, ask, fresh
from tests.integration.notifications.conftest import Run
from tests.support.functions import Functions, load
from tests.support.members import Members
from tests.support.rows import insert_row
from tests.support.wire import Wire

DAY = timedelta(days=1)


def block(database: sa.Engine, email: str, **columns: Any) -> None:
    insert_row(database, mail_blocks, email_key=email.lower(), **columns)


def exclude(database: sa.Engine, email: str) -> None:
    Members(database).new(email=email, email_key=email.lower(), excluded_permanently=True, seeds=False)


def remember(database: sa.Engine, email: str) -> None:
    """An excluded member with this address was erased."""
    with database.connect() as connection:
        identity = sa.select(erased_identities.identity("email", sa.literal(email))).scalar_subquery()
        values = {"identity": identity, "erased_at": NOON, "excluded_permanently": True}
        connection.execute(sa.insert(remembered).values(values))


STATES: dict[str, Callable[[sa.Engine, str], Any]] = {
    "new": lambda _, __: None,
    "pending": lambda database, email: adopt(database, email, is_subscribed=False, confirmation_sent_at=NOON),
    "pending, asked for long ago": lambda database, email: adopt(
        database, email, is_subscribed=False, confirmation_sent_at=NOON - DAY
    ),
    "confirmed": lambda database, email: adopt(database, email, confirmed_at=NOON),
    "adopted": adopt,
    "unsubscribed": lambda database, email: adopt(database, email, is_subscribed=False, unsubscribed_at=NOON),
    "had three mails": lambda database, email: adopt(
        database,
        email,
        is_subscribed=False,
        confirmation_sent_at=NOON - 2 * HOUR,
        second_last_confirmation_at=NOON - 3 * HOUR,
        third_last_confirmation_at=NOON - 4 * HOUR,
    ),
    "bounced": lambda database, email: block(database, email, bounced_at=NOON),
    "complained": lambda database, email: block(database, email, complained_at=NOON),
    "excluded": exclude,
    "excluded before an erasure": remember,
    "a member's": lambda database, email: Members(database).new(email=email, email_key=email.lower(), seeds=False),
}


def test_the_state_of_an_address_shows_in_no_byte_and_no_statement(
    functions: Functions, database: sa.Engine, wire: Wire
) -> None:
    seen: dict[str, Any] = {}
    statements: list[str] = []
    sa.event.listen(db.engine(), "before_cursor_execute", lambda *given: statements.append(given[2]))
    ask(functions, fresh())  # the first request connects
    for state, prepare in STATES.items():
        email = fresh()
        prepare(database, email)
        statements.clear()
        trips, rows = wire.trips, written(database)
        answer = ask(functions, email)
        headers = {name: value for name, value in answer.headers.items() if name != "X-Request-Id"}
        added = [after - before for before, after in zip(rows, written(database), strict=True)]
        seen[state] = (answer.status, headers, answer.text, wire.trips - trips, tuple(statements), added)
    assert seen["new"][0] == 202
    assert seen["new"][4]
    assert seen["new"][5] == [1, 1]
    assert {state: what for state, what in seen.items() if what != seen["new"]} == {}


def written(database: sa.Engine) -> list[int]:
    with database.connect() as connection:
        return [connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for table in (attempts, outbox)]


@pytest.mark.parametrize("state", ["bounced", "complained"])
def test_no_mail_goes_to_such_an_address(
    functions: Functions, database: sa.Engine, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """Which of them get none is decided when it is sent, so that the request shows nothing."""
    email = fresh()
    sent: list[str] = []
    STATES[state](database, email)
    with database.connect() as connection:
        connection.execute(sa.delete(outbox))
    ask(functions, email)
    monkeypatch.setattr("goatedvips.clients.ses.send", lambda to, *_, **__: sent.append(to))
    functions.set_clock("send_notifications", NOON)
    monkeypatch.setattr(load("send_notifications"), "sleep", lambda _: None)
    load("send_notifications").handler({}, Run())
    with database.connect() as connection:
        (mail,) = connection.execute(sa.select(outbox)).all()
    assert (mail.sent_at, mail.dropped_reason) == (None, state.split(maxsplit=1)[0])
    assert sent == []
