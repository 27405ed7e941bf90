"""What a server's error says, whichever driver exception carries it."""

import re

UNIQUE_VIOLATION = "23505"
UNUSABLE = frozenset({"25006", "25P02"})
"""The refusals after which a connection is replaced: the server became read-only (Aurora demotes the writer), or a
transaction failed without our noticing."""


def sqlstate(error: BaseException | None) -> str:
    """Return the code that classifies a server's error; empty if the error is not the server's.

    Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
    """
    return fields_of(error).get("C", "")


def key_columns(error: BaseException | None) -> str:
    """The columns of the key that a statement violated, as in `user_id, spin_day`; empty for any other error.

    A driver that drops the detail of an error, because it quotes values, writes them into the field `K`.
    """
    fields = fields_of(error)
    return columns_in(fields.get("D", "")) or fields.get("K", "")


def columns_in(detail: str) -> str:
    """Return the columns of a violated key from the detail of the server's error; empty if it names none.

    They stand in front of the values: `Key (email)=(a@b.example) already exists.` in whatever language.
    """
    found = re.search(r"\((.+?)\)=\(", detail)
    return found[1] if found else ""


def is_id_clash(error: BaseException | None) -> bool:
    """Whether an insert failed because its `id` is taken."""
    return sqlstate(error) == UNIQUE_VIOLATION and key_columns(error) == "id"


def message(error: BaseException | None) -> str:
    """Return the message of the server or the driver, without the detail, which quotes values."""
    return fields_of(error).get("M", "") or str(error)


def reason_of(error: BaseException | None) -> str:
    """Return the code and the message for the log."""
    return f"{sqlstate(error)} {message(error)}".strip()


def where(error: BaseException | None) -> str:
    """Return what the server was doing, such as `while locking tuple (0,1) in relation "users"`; empty if unknown."""
    return fields_of(error).get("W", "")


def fields_of(error: BaseException | None) -> dict[str, str]:
    """Return the fields of a server's error by their letter in the protocol; SQLAlchemy wraps the driver's error."""
    error = getattr(error, "orig", error)
    given = error.args[0] if error is not None and error.args else None
    return given if isinstance(given, dict) else {}
