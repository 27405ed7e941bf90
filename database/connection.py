"""A direct connection to the database that is meant, or one sentence that says why there is none and what to do."""

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
    """There is no connection; the text says why and what to do."""


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """Connect within seconds, or say why not; a statement may then take as long as it needs.

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
    """Whether a pooler is in between: it hands out cancel keys of its own, the server's begins with its process."""
    key: bytes = _driver(connection)._backend_key_data or b""  # noqa: SLF001  pg8000 keeps it to itself
    process: int = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    return int.from_bytes(key[:4]) != process


def _driver(connection: Connection) -> Any:  # noqa: ANN401  pg8000 ships no types
    return connection.connection.dbapi_connection


def _limit(_: object, __: object, ___: object, parameters: dict[str, Any]) -> None:
    parameters["timeout"] = CONNECT_SECONDS


def _reason(error: Exception, address: URL) -> str:
    """Turn what connecting raised into a sentence."""
    told: BaseException = getattr(error, "orig", None) or error
    said = (message(told) or type(told).__name__).splitlines()[0]
    place = f"{address.host or 'localhost'}:{address.port or 5432}"
    if state := sqlstate(told):
        return f"{said}: {REFUSALS.get(state, 'see to that on the server, then try again')}"
    if address.username is None:
        return "DATABASE_URL names no user: write it as in postgresql://user:password@host:5432/database"
    if isinstance(told, TypeError) and address.query:
        return f"DATABASE_URL has parameters that are not known ({', '.join(address.query)}): leave them out"
    # Of the password that is missing pg8000 says so, or breaks, depending on how it is to be proved.
    if address.password is None and ("password" in said or isinstance(told, AttributeError)):
        return f"the server wants a password of {address.username}: write user:password@ in DATABASE_URL"
    return _unanswered(told, said, place)


def _unanswered(told: BaseException, said: str, place: str) -> str:
    """Say why no server was reached, or none that is PostgreSQL."""
    see = "see host and port in DATABASE_URL"
    if "refuses SSL" in said:
        return f"{place} offers no TLS, and no password goes to another machine without it: turn it on there, or tunnel"
    match told.__cause__ or told:
        case ssl.SSLCertVerificationError(verify_message=why):
            return f"the certificate of {place} is not trusted ({why}): name its authority's file in SSL_CERT_FILE"
        case TimeoutError():
            return f"{place} did not answer within {CONNECT_SECONDS:.0f} s: {see}, and whether a firewall is in the way"
        case ConnectionRefusedError():
            return f"nothing listens at {place}: start the server or the tunnel, or {see}"
        case OSError(strerror=why) | OverflowError(args=[why]):
            return f"{place} cannot be reached ({why}): {see}"
    return f"what answers at {place} is not PostgreSQL ({said}): {see}"
