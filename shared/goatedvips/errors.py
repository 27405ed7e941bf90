"""What can go wrong, in the platform's own terms: each a status, a stable code and a title (RFC 9457).

A domain function raises these; the HTTP edge writes them down.  `docs/problems.md` explains every code to front ends,
and a test holds the two together.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from sqlalchemy import Executable


class Problem(Exception):
    """A request that is answered with an error and changes nothing.

    Parameters
    ----------
    detail: one sentence for the person who reads the answer; the title where there is nothing to add.
    retry_after: whole seconds after which trying again makes sense.
    reason: for the log alone.
    leaves: a statement to be committed after the roll-back: what the refusal itself must leave behind.
    members: further members of the problem document (RFC 9457, section 3.2).
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong on our side"

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


class MalformedRequest(Problem):
    status, code, title = 400, "malformed_request", "The request body is not JSON"


class Unauthenticated(Problem):
    status, code, title = 401, "unauthenticated", "A valid session token is needed"


class InvalidCredentials(Problem):
    status, code, title = 401, "invalid_credentials", "The login or the password is wrong"


class Forbidden(Problem):
    status, code, title = 403, "forbidden", "This is for staff"


class AccountSuspended(Problem):
    status, code, title = 403, "account_suspended", "This account is suspended"


class SelfExcluded(Problem):
    status, code, title = 403, "self_excluded", "You have excluded yourself from play"


class EmailUnverified(Problem):
    status, code, title = 403, "email_unverified", "Confirm your e-mail address first"


class OwnRights(Problem):
    status, code, title = 403, "own_rights", "Nobody changes their own rights"


class NotFound(Problem):
    status, code, title = 404, "not_found", "There is nothing here"


class CodeNotClaimable(Problem):
    status, code, title = 404, "code_not_claimable", "This code cannot be claimed"


class TokenInvalid(Problem):
    status, code, title = 404, "token_invalid", "This link is not valid, or no longer"


class AlreadyLinked(Problem):
    status, code, title = 409, "already_linked", "This casino account is linked to you already"


class AlreadySpun(Problem):
    status, code, title = 409, "already_spun", "You have had today's spin"


class CodeTaken(Problem):
    status, code, title = 409, "code_taken", "There is a code that reads the same"


class EmailTaken(Problem):
    status, code, title = 409, "email_taken", "This e-mail address has an account"


class UsernameTaken(Problem):
    status, code, title = 409, "username_taken", "This username is taken"


class ExportTooLarge(Problem):
    status, code, title = 409, "export_too_large", "There is more about you than one answer can hold"


class ExclusionRunning(Problem):
    status, code, title = 409, "exclusion_running", "Your exclusion has not ended yet"


class ExclusionShorter(Problem):
    status, code, title = 409, "exclusion_shorter", "An exclusion is never shortened"


class LastStaff(Problem):
    status, code, title = 409, "last_staff", "There must always be one of the staff"


class LinkDecided(Problem):
    status, code, title = 409, "link_decided", "This request has been decided"


class LinkPending(Problem):
    status, code, title = 409, "link_pending", "A request of yours is waiting to be decided"


class UidTaken(Problem):
    status, code, title = 409, "uid_taken", "This casino account belongs to another member"


class RaceClosed(Problem):
    status, code, title = 409, "race_closed", "This race takes no more participants"


class IdempotencyInProgress(Problem):
    status, code, title = 409, "idempotency_in_progress", "The first request with this Idempotency-Key is still running"


class Conflict(Problem):
    status, code, title = 409, "conflict", "The present state does not allow this"


class BodyTooLarge(Problem):
    status, code, title = 413, "body_too_large", "The request body is larger than 64 KiB"


class UnsupportedMediaType(Problem):
    status, code, title = 415, "unsupported_media_type", "The request body must be application/json"


class ValidationFailed(Problem):
    status, code, title = 422, "validation_failed", "The request does not have the right form"


class IdempotencyKeyReused(Problem):
    status, code, title = 422, "idempotency_key_reused", "This Idempotency-Key was used with another body"


class TooManyAttempts(Problem):
    status, code, title = 429, "too_many_attempts", "Too many attempts"


class DatabaseUnavailable(Problem):
    status, code, title = 503, "database_unavailable", "The database cannot be reached just now"


class TransactionConflict(DatabaseUnavailable):
    """Another transaction took a unique value first; this one was rolled back, and may run again at once."""


class SchemaOutdated(Problem):
    status, code, title = 503, "schema_outdated", "The database is being upgraded"
