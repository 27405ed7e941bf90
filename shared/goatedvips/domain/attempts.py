"""Attempts: recorded so that guessing is slow, and the throttles that limit them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Delete,
    Insert,
    Interval,
    ScalarSelect,
    Select,
    Text,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    true,
    type_coerce,
)

from goatedvips.domain.access import NOW
from goatedvips.domain.throttled import too_many
from goatedvips.models.accounts import attempts

CLOCK_TOLERANCE = timedelta(minutes=1)
"""How far the clock that recorded an attempt may be ahead of the clock that counts it."""

SUBJECT = bindparam("subject", type_=Text)
"""The target of an attempt: a user id in decimal, or the keyed hash of an identifier."""
CLIENT_NETWORK = bindparam("client_network", type_=Text)
"""Where the attempt comes from: an IPv4 address, or the /64 network of an IPv6 address."""


def is_within(window: timedelta, instant: ColumnElement[datetime]) -> ColumnElement[bool]:
    """Return whether a row of this instant counts now: a condition bound to `now`, for windows of throttles.

    The window ends at `CLOCK_TOLERANCE` after `now`. A row that was written by a clock further ahead does not count
    until then; otherwise it would throttle for as long as that clock was ahead.  Without the tolerance, a request that
    waited for a lock would not count the rows of those that took their time later and the lock earlier.
    """
    return and_(instant > NOW - literal(window, Interval()), instant <= NOW + literal(CLOCK_TOLERANCE, Interval()))


@dataclass(frozen=True, slots=True)
class Throttle:
    """At most `limit` attempts of a kind within any `window`."""

    kind: str
    limit: int
    window: timedelta

    def opens_at(self, same: ColumnElement[bool]) -> ScalarSelect[datetime]:
        """Return when the next attempt is allowed, as an expression bound to `now`; null: at once.

        Parameters
        ----------
        same: which attempts count together, such as `attempts.c.subject == …`.
        """
        window = literal(self.window, Interval())
        return (
            select(type_coerce(attempts.c.attempted_at + window, attempts.c.attempted_at.type))
            .where(
                attempts.c.kind == self.kind,
                same,
                is_within(self.window, attempts.c.attempted_at),
            )
            .order_by(attempts.c.attempted_at.desc())
            .offset(self.limit - 1)
            .limit(1)
            .scalar_subquery()
        )


def insert_attempt(
    kind: str | ColumnElement[str],
    subject: str | ColumnElement[str],
    client_network: str | ColumnElement[str] = CLIENT_NETWORK,
    *conditions: ColumnElement[bool],
    at: datetime | ColumnElement[datetime] = NOW,
) -> Insert:
    """Return the insert of one attempt: the only one there is.

    Parameters
    ----------
    subject: the owner of the guessed secret, or of the requested mail.
    client_network: where the attempt comes from.
    conditions: the attempt is recorded only if all of them hold.
    """
    values = (
        literal(kind) if isinstance(kind, str) else kind,
        literal(subject) if isinstance(subject, str) else subject,
        literal(client_network) if isinstance(client_network, str) else client_network,
        literal(at, attempts.c.attempted_at.type) if isinstance(at, datetime) else at,
    )
    row = select(*values).where(*conditions)
    return insert(attempts).from_select(["kind", "subject", "address", "attempted_at"], row)


def advisory_lock(name: ColumnElement[str]) -> ColumnElement[None]:
    """Serialise the transactions that count attempts for the same name: an advisory lock until commit.

    It belongs in a statement before the one that counts: a statement sees what was committed before it began, not
    what was committed while it waited for the lock.
    """
    return func.pg_advisory_xact_lock(func.hashtextextended(name, 0)).label("attempt_lock")


ATTEMPT_LOCK = advisory_lock(bindparam("lock_name", type_=Text))


def lock_parameters(kind: str, client_network: str) -> dict[str, str]:
    """Return what `ATTEMPT_LOCK` is bound to, for the attempts of a kind from a network."""
    return {"lock_name": f"{kind}:{client_network}"}


def attempt_statement(kind: str, opens_at: ColumnElement[datetime]) -> Select[Any]:
    """Return the statement that records an attempt if the throttle is open; `record_attempt` executes it."""
    throttle = select(opens_at.label("opens_at")).cte("throttle")
    attempt = (
        insert_attempt(kind, SUBJECT, CLIENT_NETWORK, select(throttle.c.opens_at).scalar_subquery().is_(None))
        .returning(attempts.c.id)
        .cte("attempt")
    )
    both = throttle.outerjoin(attempt, true())
    return select(throttle.c.opens_at, attempt.c.id).select_from(both).execution_options(commit_in_flight=True)


def record_attempt(
    connection: Connection, statement: Select[Any], subject: str, client_network: str, *, now: datetime
) -> int:
    """Record an attempt and return its id. The transaction holds `ATTEMPT_LOCK`.

    Parameters
    ----------
    statement: as `attempt_statement` made it.

    Raises
    ------
    TooManyAttempts: there were too many; this one is not recorded.
    """
    parameters = {"subject": subject, "client_network": client_network, "now": now}
    row = connection.execute(statement, parameters).one()
    if row.opens_at is not None:
        raise too_many(row.opens_at, now=now)
    return int(row.id)


def delete_attempt(attempt_id: int) -> Delete:
    """Return the delete of an attempt that succeeded, for a transaction of its own."""
    return delete(attempts).where(attempts.c.id == attempt_id)


ATTEMPT_ID = bindparam("attempt_id", type_=attempts.c.id.type)


def attempt_removed(proof: CTE) -> CTE:
    """Return the delete of the attempt `ATTEMPT_ID`, for a statement in which `proof` has a row if it succeeded."""
    the_attempt = select(ATTEMPT_ID).select_from(proof).scalar_subquery()
    return delete(attempts).where(attempts.c.id == the_attempt).cte("attempt_removed")
