"""What is remembered of erased members: keyed hashes of their address and uid, and the exclusion that outlives them.

Who comes back with the same address or the same uid is excluded still, until the end has passed and they say so.
"""

from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, func, literal, select

from goatedvips.models.accounts import erased_identities

type Kind = Literal["email", "uid"]


def identity(kind: Kind, value: ColumnElement[str]) -> ColumnElement[bytes]:
    """The keyed hash by which an address, ignoring case, or a uid is remembered; in NFC, which old rows need not be."""
    known_by = func.normalize(func.lower(value) if kind == "email" else value)
    return func.identity_hash(literal(kind), known_by, type_=erased_identities.c.identity.type)


def kept_exclusion(kind: Kind, value: ColumnElement[str]) -> Select[Any]:
    """The exclusion that is kept for an address or a uid: one row, `excluded_until` and `excluded_permanently`.

    Where nothing is kept they are null and false.
    """
    return select(
        func.max(erased_identities.c.excluded_until).label("excluded_until"),
        func.coalesce(func.bool_or(erased_identities.c.excluded_permanently), literal(value=False)).label(
            "excluded_permanently"
        ),
    ).where(erased_identities.c.identity == identity(kind, value))
