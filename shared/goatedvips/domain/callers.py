"""Callers: who sent the present request, and why the database refused them.

`goatedvips.domain.access` has the CTEs that the statements of a caller start from. This module imports no SQLAlchemy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from goatedvips.connections import Connection
from goatedvips.domain import compiled_statements
from goatedvips.errors import AccountSuspended, EmailUnverified, Forbidden, SelfExcluded, Unauthenticated

if TYPE_CHECKING:
    from sqlalchemy import Executable


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-in member or staff member, as the HTTP edge authenticated them."""

    user_id: int
    session_id: int
    request_id: str
    verified_email_required: bool = False
    """Whether spins, claims and joins need a verified e-mail address (a setting)."""

    def parameters(self, now: datetime) -> dict[str, object]:
        """Return what the CTEs of `goatedvips.domain.access` are bound to."""
        return {
            "caller_id": self.user_id,
            "caller_session_id": self.session_id,
            "caller_request_id": self.request_id,
            "now": now,
            "verified_email_required": self.verified_email_required,
        }


def explain(
    connection: Connection[Any], caller: Caller, *, now: datetime, playing: bool = False, staff: bool = False
) -> None:
    """Raise why a CTE of `goatedvips.domain.access` has no row for the caller; return if the caller is not the reason.

    Raises
    ------
    Unauthenticated, AccountSuspended, Forbidden, SelfExcluded, EmailUnverified
    """
    row = connection.execute(compiled_statements.SELECT_REASONS, caller.parameters(now)).one_or_none()
    if row is not None and row.suspended:
        raise AccountSuspended
    if row is None or not row.live:
        raise Unauthenticated
    if staff and not row.is_admin:
        raise Forbidden
    if playing and row.excluded:
        raise SelfExcluded
    if playing and row.unverified:
        raise EmailUnverified


def one_or_none[R](
    connection: Connection[R],
    statement: "Executable",
    caller: Caller,
    parameters: Mapping[str, object],
    *,
    now: datetime,
    playing: bool = False,
    staff: bool = False,
) -> R | None:
    """Execute a statement that starts from a CTE of `goatedvips.domain.access`, and return its row.

    Parameters
    ----------
    parameters: what the statement is bound to besides `Caller.parameters`.
    playing, staff: which CTE the statement starts from: `player` (or `claimant`, if no row means that the caller may
        not play), `staff`, or neither of them.

    Raises
    ------
    Unauthenticated, AccountSuspended, Forbidden, SelfExcluded, EmailUnverified: if there is no row because of it.
    """
    row = connection.execute(statement, {**caller.parameters(now), **parameters}).one_or_none()
    if row is None:
        explain(connection, caller, now=now, playing=playing, staff=staff)
    return row


def one[R](
    connection: Connection[R],
    statement: "Executable",
    caller: Caller,
    parameters: Mapping[str, object],
    *,
    now: datetime,
    playing: bool = False,
    staff: bool = False,
) -> R:
    """As `one_or_none`, for a statement that always has a row if the caller is allowed.

    Raises
    ------
    Unauthenticated, AccountSuspended, Forbidden, SelfExcluded, EmailUnverified
    """
    row = one_or_none(connection, statement, caller, parameters, now=now, playing=playing, staff=staff)
    if row is None:
        raise AssertionError("the statement has a row for every caller who is allowed")
    return row
