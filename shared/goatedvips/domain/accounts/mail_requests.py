"""Mail with a token that somebody asks for: at most 3 an hour to one address, whatever for and whoever asks.

A request beyond that is answered as the others are, and nothing is sent.  Counted is a keyed hash of the address: it
may be a stranger's, who has no account to show the count to or to erase it with.
"""

from datetime import timedelta
from typing import Literal

from sqlalchemy import CTE, ColumnElement, case, func, literal, select

from goatedvips.domain import attempts, erased_identities
from goatedvips.domain.notifications.outbox import queued
from goatedvips.models.accounts import attempts as attempt_rows

MAILS = attempts.Throttle("mail", limit=3, window=timedelta(hours=1))
"""To one address, ignoring case."""

type Kind = Literal["verification", "password_reset", "email_change"]


def advisory_lock(email: ColumnElement[str]) -> ColumnElement[None]:
    """What the statement before a part of `asked_for` has to take; see `attempts.advisory_lock`."""
    return attempts.advisory_lock(literal("mail:") + func.lower(email))


def asked_for(kind: Kind, asked: CTE) -> tuple[CTE, ...]:
    """The parts that count a request and write its mail down, bound to `now` and to the `client_network` it comes from.

    Parameters
    ----------
    asked: at most one row: the `email` that is asked for, and the `user_id` of whose mail it is; null: nobody's.
    """
    subject = func.encode(erased_identities.identity("email", asked.c.email), "hex")
    # What is sent to nobody is written as well, so that it takes as long, and uses nothing up.
    kind_counted = case((asked.c.user_id.is_(None), "no_mail"), else_=MAILS.kind)
    opens_at = MAILS.opens_at(attempt_rows.c.subject == subject)
    counted = (
        attempts.insert_attempt(kind_counted, subject, attempts.CLIENT_NETWORK, opens_at.is_(None))
        .returning(attempt_rows.c.id)
        .cte("counted")
    )
    mailed = select(asked.c.user_id, asked.c.email).where(asked.c.user_id.is_not(None), select(counted.c.id).exists())
    return counted, *queued(kind, mailed)
