"""Settings of the sessions that look a database over and upgrade it, whatever the database or the login has set."""

from sqlalchemy import TextClause, text

# The limits are meant for others: an index of a big table takes its time, and cut off it stays behind, invalid.  With
# the last two the catalogue's functions write names and instants as the declarations do.
SETTINGS = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",  # since PostgreSQL 17
    "quote_all_identifiers": "off",
    "DateStyle": "ISO, MDY",
}


def without_limits(*, is_local: bool) -> TextClause:
    """Return the statement that sets them, those that the server knows.

    Parameters
    ----------
    is_local: until the end of the transaction; else until the end of the session.
    """
    values = ", ".join(f"('{name}', '{value}')" for name, value in SETTINGS.items())
    return text(
        f"SELECT set_config(name, value, {is_local}) FROM (VALUES {values}) AS wanted (name, value)"
        " JOIN pg_settings USING (name)"
    )
