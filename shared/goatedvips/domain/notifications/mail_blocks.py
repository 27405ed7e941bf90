"""E-mail addresses that get no mail, because mail to them bounced or was complained about.

After a hard bounce all mail to the address ends; critical mail is tried once in 24 hours, because the mailbox may be
back. After a complaint all mail ends that is not critical. `bounces` sets the blocks, `deciding` obeys them, and a
proof of the address ends them.
"""

from datetime import datetime

from sqlalchemy import CTE, BigInteger, ColumnElement, Connection, Text, bindparam, case, func, or_, update

from goatedvips.domain.access import NOW
from goatedvips.domain.notifications.deciding import CRITICAL_INTERVAL
from goatedvips.models.notifications import mail_blocks

_EMAIL = bindparam("recipient", type_=Text)
_MAIL_ID = bindparam("mail_id", type_=BigInteger)
# Compare-and-set, so of two critical mails at once only one is tried. A retry of that mail is the same try.
_claim_try = (
    update(mail_blocks)
    .where(
        mail_blocks.c.email_key == func.lower(_EMAIL),
        or_(
            mail_blocks.c.critical_tried_at.is_(None),
            mail_blocks.c.critical_tried_at <= bindparam("tried_before", type_=mail_blocks.c.critical_tried_at.type),
            mail_blocks.c.critical_outbox_id == _MAIL_ID,
        ),
    )
    .values(
        critical_tried_at=case(
            (mail_blocks.c.critical_outbox_id == _MAIL_ID, mail_blocks.c.critical_tried_at), else_=NOW
        ),
        critical_outbox_id=_MAIL_ID,
    )
    .returning(mail_blocks.c.id)
)


def claim_try(connection: Connection, email: str, outbox_id: int, *, now: datetime) -> bool:
    """Return whether a critical mail may be sent to an address that bounced; then it is the try of the next 24 hours.

    Parameters
    ----------
    outbox_id: the mail's row in the outbox.
    """
    parameters = {"recipient": email, "mail_id": outbox_id, "tried_before": now - CRITICAL_INTERVAL, "now": now}
    return connection.execute(_claim_try, parameters).first() is not None


def end_blocks(email: ColumnElement[str], *, of_complaints: bool) -> CTE:
    """Return the update that ends the blocks of an e-mail address, because a mailed token was used.

    Parameters
    ----------
    email: null: none is ended.
    of_complaints: whether the block after a complaint ends too, because the owner asked for mail to this address.
    """
    none = {"bounced_at": None, "critical_tried_at": None, "critical_outbox_id": None}
    ended = none | {"complained_at": None} if of_complaints else none
    return update(mail_blocks).where(mail_blocks.c.email_key == func.lower(email)).values(ended).cte("end_blocks")
