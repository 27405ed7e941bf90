"""Every problem that a request can be answered with (RFC 9457): its status, stable code and title.

Domain functions raise these, and the HTTP edge answers with a problem document.  The docstring of a problem explains
its code to developers of front ends: in docs/problems.md, which `make openapi` writes, and at `/problems/<code>`.  Its
annotations are the members that only its document has.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Literal, TypedDict

from sqlalchemy import Executable


class InvalidValue(TypedDict):
    """What is wrong with one value of a request."""

    pointer: str
    """A JSON pointer (RFC 6901) into the body, or to a parameter; empty for the whole body or a header."""
    detail: str
    """What is wrong with it, for a person."""


class Problem(Exception):
    """A request that is answered with an error and changes nothing.

    Parameters
    ----------
    detail: one sentence for the person who reads the answer; the title if absent.
    retry_after: seconds after which the client should try again.
    reason: for the log only.
    leaves: a statement that is executed and committed after the roll-back, such as one that counts a failed attempt.
    members: further members of the problem document (RFC 9457, section 3.2), as the class declares them.
    """

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]

    def __init__(
        self,
        detail: str | None = None,
        *,
        retry_after: int | None = None,
        reason: str | None = None,
        leaves: Executable | None = None,
        **members: int | str | datetime | dict[str, str] | list[dict[str, str]] | None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.retry_after = retry_after
        self.reason = reason
        self.leaves = leaves
        self.members: Mapping[str, object] = members
        vars(self).update(members)


class MalformedRequest(Problem):
    """The body is not JSON (RFC 8259) in UTF-8, or an object in it has a name twice.

    `NaN` and `Infinity` are not JSON.
    """

    status, code, title = 400, "malformed_request", "The request body is not valid JSON"


class Unauthenticated(Problem):
    """The session token is missing, wrong, expired or ended. Log in again."""

    status, code, title = 401, "unauthenticated", "A valid session token is needed"


class InvalidCredentials(Problem):
    """No account has this login and this password. On routes that take the current password: it is wrong."""

    status, code, title = 401, "invalid_credentials", "The login or the password is wrong"


class Forbidden(Problem):
    """The route is for staff only."""

    status, code, title = 403, "forbidden", "Only staff may do this"


class AccountSuspended(Problem):
    """Staff have suspended the account."""

    status, code, title = 403, "account_suspended", "This account is suspended"


class SelfExcluded(Problem):
    """The member has excluded themselves from play."""

    status, code, title = 403, "self_excluded", "You have excluded yourself from play"


class EmailUnverified(Problem):
    """Spins, claims and joins need a confirmed e-mail address."""

    status, code, title = 403, "email_unverified", "Confirm your e-mail address first"


class OwnRights(Problem):
    """Staff cannot suspend or reward themselves, change their own rights or decide their own request.

    Another staff member can.
    """

    status, code, title = 403, "own_rights", "Staff cannot change their own rights"


class NotFound(Problem):
    """It does not exist, or it belongs to someone else. An id that is not a positive 32-bit integer does not exist."""

    status, code, title = 404, "not_found", "There is nothing here"


class CodeNotClaimable(Problem):
    """The code cannot be claimed by this member now. The answer does not say why."""

    status, code, title = 404, "code_not_claimable", "This code cannot be claimed"


class TokenInvalid(Problem):
    """A mailed token is wrong, used or expired."""

    status, code, title = 404, "token_invalid", "This link is invalid, used or expired"


class AlreadyLinked(Problem):
    """The casino account is linked to this member already, so there is nothing to request."""

    status, code, title = 409, "already_linked", "This casino account is already linked to you"


class AlreadySpun(Problem):
    """A member has one spin per UTC day. `spin_id` is today's spin, `next_spin_at` the time of the next one."""

    status, code, title = 409, "already_spun", "You have used today's spin"
    spin_id: int
    """The id of today's spin."""
    next_spin_at: datetime
    """When the next spin is possible."""


class CodeTaken(Problem):
    """Another code differs only in case, spaces, dashes or invisible characters."""

    status, code, title = 409, "code_taken", "An equivalent code exists already"


class EmailTaken(Problem):
    """Another account has this e-mail address; upper and lower case make no difference."""

    status, code, title = 409, "email_taken", "This e-mail address has an account"


class UsernameTaken(Problem):
    """Another account has this username; upper and lower case make no difference."""

    status, code, title = 409, "username_taken", "This username is taken"


class ExportTooLarge(Problem):
    """The member's data is over 4.5 MB after gzip, more than one answer can hold. Support can send it."""

    status, code, title = 409, "export_too_large", "Your data is too large for one answer"


class ExclusionRunning(Problem):
    """An exclusion can be ended only after `excluded_until`; a `permanent` one never ends."""

    status, code, title = 409, "exclusion_running", "Your exclusion has not ended yet"
    excluded_until: datetime | None
    """From when the exclusion can be ended; null if it is permanent."""
    permanent: bool
    """Whether it never ends."""


class ExclusionShorter(Problem):
    """The present exclusion ends later than the requested one, and it stays: `excluded_until`, or `permanent`."""

    status, code, title = 409, "exclusion_shorter", "An exclusion cannot be shortened"
    excluded_until: datetime | None
    """From when the present exclusion can be ended; null if it is permanent."""
    permanent: bool
    """Whether the present exclusion never ends."""


class LastStaff(Problem):
    """The change would leave no staff member. Make someone else staff first."""

    status, code, title = 409, "last_staff", "There must always be a staff member"


class LinkDecided(Problem):
    """Staff have decided this request already: `decision`."""

    status, code, title = 409, "link_decided", "This request has been decided already"
    decision: Literal["approved", "refused"]
    """What staff decided."""


class LinkPending(Problem):
    """A member can have one pending request. Wait for its decision."""

    status, code, title = 409, "link_pending", "You have a pending request already"


class UidTaken(Problem):
    """The casino account is linked to another member. Refuse the request, or settle with both whose account it is."""

    status, code, title = 409, "uid_taken", "This casino account belongs to another member"


class RaceClosed(Problem):
    """The race has ended or was cancelled."""

    status, code, title = 409, "race_closed", "This race does not take participants any more"


class SeedUnused(Problem):
    """No spin was drawn from the active server seed yet, so a rotation would reveal a seed that verifies nothing."""

    status, code, title = 409, "seed_unused", "There is no spin yet that a rotation would make verifiable"


class IdempotencyInProgress(Problem):
    """The first request with this Idempotency-Key has not ended within 5 seconds. Repeat the request."""

    status, code, title = 409, "idempotency_in_progress", "The first request with this Idempotency-Key is still running"


class Conflict(Problem):
    """The data changed meanwhile, or it contradicts the request. Read it again, then repeat the request."""

    status, code, title = 409, "conflict", "The current state does not allow this"


class BodyTooLarge(Problem):
    """The request body is larger than 64 KiB."""

    status, code, title = 413, "body_too_large", "The request body is larger than 64 KiB"


class UnsupportedMediaType(Problem):
    """Send the body with `Content-Type: application/json`."""

    status, code, title = 415, "unsupported_media_type", "The request body must be application/json"


class ValidationFailed(Problem):
    """`errors` lists what is wrong (`detail`) and where (`pointer`, RFC 6901; empty for the whole body or a header)."""

    status, code, title = 422, "validation_failed", "The request is not valid"
    errors: list[InvalidValue]
    """What is wrong, and where."""


class IdempotencyKeyReused(Problem):
    """The key was used with another body in the last 24 hours. Use a new key."""

    status, code, title = 422, "idempotency_key_reused", "This Idempotency-Key was used with another body"
    errors: list[InvalidValue]
    """One entry, for the header."""


class TooManyAttempts(Problem):
    """Wait for the number of seconds in `Retry-After`."""

    status, code, title = 429, "too_many_attempts", "Too many attempts"


class InternalError(Problem):
    """A defect on our side. Tell support the `request_id`."""

    status, code, title = 500, "internal_error", "Something went wrong on our side"


class DatabaseUnavailable(Problem):
    """The database cannot be reached, is read-only during a fail-over, or took too long.

    Repeat the request; with an Idempotency-Key it is safe to repeat a POST.
    """

    status, code, title = 503, "database_unavailable", "The database is unavailable at the moment"


class TransactionConflict(DatabaseUnavailable):
    """Another transaction took a unique value first; this one was rolled back, and may run again at once."""


class SchemaOutdated(Problem):
    """The database is being upgraded. Repeat the request."""

    status, code, title = 503, "schema_outdated", "The database is being upgraded"
    database: str | None = None
    """`ok`. Only `GET /v1/health` answers it."""
    schema: dict[str, str] | None = None
    """Revisions: the one that the code expects and the database's. Only `GET /v1/health` answers it."""
