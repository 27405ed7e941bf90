"""The problems that refusals of PostgreSQL mean to the caller, whichever driver reports them."""

from goatedvips.errors import (
    Conflict,
    DatabaseUnavailable,
    InternalError,
    Problem,
    SchemaOutdated,
    TransactionConflict,
    ValidationFailed,
)
from goatedvips.postgres_errors import is_id_clash, reason_of, sqlstate

RETRY_ID_CLASH_SECONDS = 2.0
"""How long an insert is sent again after clashes of its `id`: each try takes one round trip and the next number."""


def refusal(error: BaseException | None) -> Problem:
    """Return what a refused statement means to the caller.

    Source: https://www.postgresql.org/docs/current/errcodes-appendix.html

    Parameters
    ----------
    error: of whatever driver, with the server's fields.
    """
    state, reason = sqlstate(error), reason_of(error)
    match state[:2], state:
        case ("42", "42P01" | "42703" | "42883"):
            return SchemaOutdated(retry_after=5, reason=reason)
        case ("22", _):  # a value that no column can hold and no validator refused
            return ValidationFailed(reason=reason)
        case _ if is_id_clash(error):
            return TransactionConflict(retry_after=1, reason=reason)
        case ("23", "23503" | "23505"):  # the other constraints are violated only by a defect of ours
            return Conflict(reason=reason)
        case ("08" | "28" | "3D" | "40" | "53" | "55" | "57" | "58", _):
            return DatabaseUnavailable(retry_after=1, reason=reason)
        case (_, "25006" | "25P02" | "25P03" | "54001"):  # read-only; a session or a server in a bad state
            return DatabaseUnavailable(retry_after=1, reason=reason)
    return InternalError(reason=reason)
