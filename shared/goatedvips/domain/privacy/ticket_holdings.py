"""The personal data in tickets and their messages, as `holdings` declares them for the other tables."""

from sqlalchemy import and_, func, literal, or_, select

from goatedvips.domain.access import CALLER_ID
from goatedvips.domain.privacy.personal_data import ERASED, PersonalData
from goatedvips.models.tickets import support_tickets, ticket_messages

_own_tickets = select(support_tickets.c.id).where(support_tickets.c.user_id == CALLER_ID)
# = ANY (array) instead of IN (subquery): PostgreSQL then uses the index although this condition stands in an OR.
_on_own_ticket = ticket_messages.c.ticket_id == func.any(func.array(_own_tickets.scalar_subquery()))
_by_member = ticket_messages.c.user_id == CALLER_ID
_own_ticket = support_tickets.c.user_id == CALLER_ID
_assigned_ticket = support_tickets.c.assignee_id == CALLER_ID

TICKET_HOLDINGS = (
    PersonalData(
        support_tickets,
        rows=or_(_own_ticket, _assigned_ticket),
        exported_if={
            # Not exported: which staff member takes care of a ticket; tickets of others that the member takes care of.
            "assignee_id": _assigned_ticket,
            "user_id": _own_ticket,
            "subject": _own_ticket,
            "description": _own_ticket,
        },
        overwrite_where=_own_ticket,
        overwrite={"subject": literal(ERASED), "description": literal(ERASED)},
        scrub_email_in=("subject", "description"),
        not_personal=("status", "priority"),
    ),
    PersonalData(
        ticket_messages,
        rows=or_(_by_member, and_(_on_own_ticket, ~ticket_messages.c.is_internal)),
        exported_if={
            # Not exported: which staff member replied; what the member wrote, as staff, on other members' tickets.
            "user_id": _by_member,
            "message": and_(~ticket_messages.c.is_internal, or_(_on_own_ticket, ~ticket_messages.c.is_staff_reply)),
        },
        overwrite={"message": literal(ERASED)},
        # Includes staff's messages on the member's tickets: they address the member by name and quote them.
        overwrite_where=or_(_on_own_ticket, and_(_by_member, ~ticket_messages.c.is_staff_reply)),
        scrub_email_in=("message",),
    ),
)
