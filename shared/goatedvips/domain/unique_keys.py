"""Which unique key a statement violated, where several could be."""

from sqlalchemy.exc import IntegrityError

from goatedvips.postgres_errors import key_columns


def violates(error: IntegrityError, column: str) -> bool:
    """Whether a key that has this column, or a key column made of it (`email_key` of `email`), was violated."""
    columns = key_columns(error.orig).split(", ")
    return column in columns or f"{column}_key" in columns
