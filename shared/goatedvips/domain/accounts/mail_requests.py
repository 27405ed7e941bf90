"""Requests for mail with a token: at most 3 an hour to one address for each reason.

The reasons are counted separately, so that nobody uses up what the owner of an address may ask for.  A request beyond
the limit gets the same answer, and no mail is sent.  What is counted is a keyed hash of the address: it may belong to a
person without an account, who could neither see nor erase a count under the address itself.
"""

from datetime import timedelta
from typing import Literal

from sqlalchemy import CTE, ColumnElement, case, func, literal, select

from goatedvips.domain import attempts, erased_identities
from goatedvips.domain.notifications.outbox import queued
from goatedvips.models.accounts import attempts as attempt_rows

type Kind = Literal["verification", "password_reset", "email_change"]
type Reason = Literal["mail_own", "mail_reset", "mail_change"]
"""`mail_own`: the signed-in account of the address asks. `mail_reset`: anybody asks for a reset of the password.
`mail_change`: another account asks to change to the address."""

MAILS = {
    reason: attempts.Throttle(reason, limit=3, window=timedelta(hours=1))
    for reason in ("mail_own", "mail_reset", "mail_change")
}
"""Mails to one address, ignoring case."""
NO_MAIL = "no_mail"
"""The kind of attempt that is recorded if no account has the address, so that the answer takes as long."""


def advisory_lock(email: ColumnElement[str]) -> ColumnElement[None]:
    """Serialise the requests for mail to an address, ignoring case; see `attempts.advisory_lock`."""
    return attempts.advisory_lock(literal("mail:") + func.lower(email))


def request_mail(kind: Kind, reason: Reason, request: CTE) -> tuple[CTE, ...]:
    """Return the CTEs that record a request and queue its mail, bound to `now` and `client_network`.

    An earlier statement of the transaction has taken `advisory_lock` of the address.

    Parameters
    ----------
    request: at most one row: the `email` to send to, and the `user_id` of the account that the mail is for (null: no
        account has the address, and no mail is queued). If it has `is_own`, then true there means the reason
        `mail_own`.
    """
    subject = func.encode(erased_identities.identity("email", request.c.email), "hex")
    same_subject = attempt_rows.c.subject == subject
    is_own = request.c.get("is_own", literal(value=False))
    is_open = case(
        (is_own, MAILS["mail_own"].opens_at(same_subject).is_(None)),
        else_=MAILS[reason].opens_at(same_subject).is_(None),
    )
    recorded_kind = case((request.c.user_id.is_(None), NO_MAIL), (is_own, "mail_own"), else_=reason)
    record = (
        attempts.insert_attempt(recorded_kind, subject, attempts.CLIENT_NETWORK, is_open)
        .returning(attempt_rows.c.id)
        .cte("record_request")
    )
    mail = select(request.c.user_id, request.c.email).where(
        request.c.user_id.is_not(None), select(record.c.id).exists()
    )
    return record, *queued(kind, mail)
