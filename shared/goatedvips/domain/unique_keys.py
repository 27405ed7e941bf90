"""Which unique key a statement violated, where several could be."""

import re

from sqlalchemy.exc import IntegrityError

from goatedvips.postgres_errors import key_columns


def violates(error: IntegrityError, column: str) -> bool:
    """Whether a key that has this column, or a key column made of it (`email_key` of `email`), was violated.

    An adopted database may have keys of its own, such as one on `lower(email)`.
    """
    return re.search(rf"\b{column}(_key)?\b", key_columns(error.orig)) is not None
