"""Connections to the database, and one sentence that explains why there is none and what to do."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, event, text

from goatedvips.postgres_errors import message, sqlstate
from migrations import upgrade as migrations

CONNECT_SECONDS = 10.0

# Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
REFUSALS = {
    "28P01": "see user and password in DATABASE_URL, where a special character is written as %XX",
    "28000": "see the user in DATABASE_URL, and the server's pg_hba.conf",
    "3D000": "see the name at the end of DATABASE_URL",
}


class UnreachableError(Exception):
    """No connection could be opened; the text says why and what to do."""


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """Connect within CONNECT_SECONDS. Statements on the connection have no time-out.

    Raises
    ------
    UnreachableError
    """
    engine = migrations.engine(url)
    event.listen(engine, "do_connect", _limit)
    try:
        connection = engine.connect()
    except Exception as error:  # what answers need not be PostgreSQL, and may send anything
        raise UnreachableError(_reason(error, engine.url)) from error
    with connection:
        _driver(connection)._usock.settimeout(None)  # noqa: SLF001  pg8000 has one limit for both
        yield connection


def first_line(error: Exception) -> str:
    """Return the server's message of a database error, or the first line of any other."""
    original = getattr(error, "orig", None)
    return message(original) if sqlstate(original) else str(error).splitlines()[0]


def is_pooled(connection: Connection) -> bool:
    """Whether the connection goes through a pooler, whose cancel keys do not begin with the backend's process id."""
    key: bytes = _driver(connection)._backend_key_data or b""  # noqa: SLF001  pg8000 keeps it to itself
    process: int = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    return int.from_bytes(key[:4]) != process


def _driver(connection: Connection) -> Any:  # noqa: ANN401  pg8000 ships no types
    return connection.connection.dbapi_connection


def _limit(_: object, __: object, ___: object, parameters: dict[str, Any]) -> None:
    parameters["timeout"] = CONNECT_SECONDS


def _reason(error: Exception, address: URL) -> str:
    """Turn an exception of the connection attempt into a sentence."""
    original: BaseException = getattr(error, "orig", None) or error
    text = (message(original) or type(original).__name__).splitlines()[0]
    place = f"{address.host or 'localhost'}:{address.port or 5432}"
    if state := sqlstate(original):
        return f"{text}: {REFUSALS.get(state, 'see to that on the server, then try again')}"
    if address.username is None:
        return "DATABASE_URL names no user: write it as in postgresql://user:password@host:5432/database"
    if isinstance(original, TypeError) and address.query:
        return f"DATABASE_URL has parameters that are not known ({', '.join(address.query)}): leave them out"
    # For a missing password pg8000 has a message, or fails with AttributeError, depending on the method.
    if address.password is None and ("password" in text or isinstance(original, AttributeError)):
        return f"the server wants a password of {address.username}: write user:password@ in DATABASE_URL"
    return _unanswered(original, text, place)


def _unanswered(original: BaseException, text: str, place: str) -> str:
    """Explain why no server was reached, or one that is not PostgreSQL."""
    see = "see host and port in DATABASE_URL"
    if "refuses SSL" in text:
        return f"{place} offers no TLS, and no password goes to another machine without it: turn it on there, or tunnel"
    match original.__cause__ or original:
        case ssl.SSLCertVerificationError(verify_message=why):
            return f"the certificate of {place} is not trusted ({why}): name its authority's file in SSL_CERT_FILE"
        case TimeoutError():
            return f"{place} did not answer within {CONNECT_SECONDS:.0f} s: {see}, and whether a firewall is in the way"
        case ConnectionRefusedError():
            return f"nothing listens at {place}: start the server or the tunnel, or {see}"
        case OSError(strerror=why) | OverflowError(args=[why]):
            return f"{place} cannot be reached ({why}): {see}"
    return f"what answers at {place} is not PostgreSQL ({text}): {see}"
