"""What a server's error says, whichever driver exception carries it."""

import re

UNIQUE_VIOLATION = "23505"


def sqlstate(error: BaseException | None) -> str:
    """Return the code that classifies a server's error; empty if the error is not the server's.

    Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
    """
    return fields_of(error).get("C", "")


def key_columns(error: BaseException | None) -> str:
    """The columns of the key that a statement violated, as in `user_id, spin_day`; empty for any other error.

    They stand in the detail of the server's error, in front of the values: `Key (email)=(a@b.example) already exists.`
    in whatever language.
    """
    fields = fields_of(error)
    found = re.search(r"\((.+?)\)=\(", fields.get("D", ""))
    return found[1] if found else fields.get("K", "")


def is_id_clash(error: BaseException | None) -> bool:
    """Whether an insert failed because its `id` is taken."""
    return sqlstate(error) == UNIQUE_VIOLATION and key_columns(error) == "id"


def message(error: BaseException | None) -> str:
    """Return the message of the server or the driver, without the detail, which quotes values."""
    return fields_of(error).get("M", "") or str(error)


def where(error: BaseException | None) -> str:
    """Return what the server was doing, such as `while locking tuple (0,1) in relation "users"`; empty if unknown."""
    return fields_of(error).get("W", "")


def fields_of(error: BaseException | None) -> dict[str, str]:
    """Return the fields of a server's error by their letter in the protocol."""
    given = error.args[0] if error is not None and error.args else None
    return given if isinstance(given, dict) else {}
