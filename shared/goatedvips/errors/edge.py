"""Problems that any route can have: of the request, of the caller, of the database."""

from goatedvips.errors.problem import InvalidValue, Problem


class MalformedRequest(Problem):
    """The body is not JSON (RFC 8259) in UTF-8, or an object in it has a name twice.

    `NaN` and `Infinity` are not JSON.
    """

    status, code, title = 400, "malformed_request", "The request body is not valid JSON"


class Unauthenticated(Problem):
    """The session token is missing, wrong, expired or ended. Log in again."""

    status, code, title = 401, "unauthenticated", "A valid session token is needed"


class Forbidden(Problem):
    """The route is for staff only."""

    status, code, title = 403, "forbidden", "Only staff may do this"


class NotFound(Problem):
    """It does not exist, or it belongs to someone else. An id that is not a positive 32-bit integer does not exist."""

    status, code, title = 404, "not_found", "There is nothing here"


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


class ConnectionLost(DatabaseUnavailable):
    """The connection broke during a statement: whether the statement took effect is unknown."""


class TransactionConflict(DatabaseUnavailable):
    """Another transaction took a unique value first; this one was rolled back, and may run again at once."""


class SchemaOutdated(Problem):
    """The database is being upgraded. Repeat the request."""

    status, code, title = 503, "schema_outdated", "The database is being upgraded"
    database: str | None = None
    """`ok`. Only `GET /v1/health` answers it."""
    schema: dict[str, str] | None = None
    """Revisions: the one that the code expects and the database's. Only `GET /v1/health` answers it."""
