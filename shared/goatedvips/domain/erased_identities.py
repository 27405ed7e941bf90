"""What is remembered of erased members: keyed hashes of their address and uid, and the exclusion that outlives them.

Who comes back with the same address or the same uid is excluded still, until the end has passed and they say so.  The
address that an excluded member gave up for another one is remembered too.
"""

from typing import Any, Literal

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Select,
    Update,
    and_,
    case,
    false,
    func,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from goatedvips.domain.access import NOW, VERIFIED_EMAIL_REQUIRED, is_excluded
from goatedvips.models.accounts import erased_identities, users

type Kind = Literal["email", "uid"]
type Columns = ReadOnlyColumnCollection[str, Any]


def identity(kind: Kind, value: ColumnElement[str]) -> ColumnElement[bytes]:
    """The keyed hash by which an address, ignoring case, or a uid is remembered; in NFC, which old rows need not be."""
    known_by = func.normalize(func.lower(value) if kind == "email" else value)
    return func.identity_hash(literal(kind), known_by, type_=erased_identities.c.identity.type)


def kept_exclusion(kind: Kind, value: ColumnElement[str]) -> Select[Any]:
    """The exclusion that is kept for an address or a uid: one row, `excluded_until` and `excluded_permanently`.

    Where nothing is kept they are null and false.
    """
    for_good = func.coalesce(func.bool_or(erased_identities.c.excluded_permanently), false())
    return select(
        func.max(erased_identities.c.excluded_until).label("excluded_until"), for_good.label("excluded_permanently")
    ).where(erased_identities.c.identity == identity(kind, value))


def stricter(one: Columns, other: Columns) -> dict[str, ColumnElement[Any]]:
    """The stricter of two exclusions, as values of their two columns: for good, or until the later end."""
    for_good = or_(one.excluded_permanently, other.excluded_permanently)
    until = func.greatest(one.excluded_until, other.excluded_until)
    return {"excluded_permanently": for_good, "excluded_until": case((~for_good, until))}


def is_kept_for_address(account: Columns) -> ColumnElement[bool]:
    """Whether a member's exclusion is remembered for their address, bound to the platform's setting for play.

    Where play takes a proved address, an exclusion means nothing for one that was never proved; and it may be a
    stranger's, who would be kept from play for good.
    """
    return and_(is_excluded(account), or_(account.email_verified.is_(true()), ~VERIFIED_EMAIL_REQUIRED))


def carrying_over(owner_id: BindParameter[int]) -> Update:
    """The statement that puts the exclusion that is kept for a member's address in force, if there is one.

    It comes after the one that gave them the address: that may have waited for an erasure to let go of it, and still
    sees nothing of what was remembered then.
    """
    owner = users.alias("owner")
    exclusion = kept_exclusion("email", owner.c.email).lateral("exclusion")
    kept = (
        select(owner.c.id, exclusion.c.excluded_until, exclusion.c.excluded_permanently)
        .join(exclusion, true())
        .where(owner.c.id == owner_id)
        .cte("kept")
    )
    return update(users).where(users.c.id == kept.c.id, is_excluded(kept.c)).values(stricter(users.c, kept.c))


def remembering(rows: Select[Any] | CompoundSelect[Any]) -> Insert:
    """The statement that remembers identities, each with the strictest exclusion that it ever came with.

    Parameters
    ----------
    rows: `identity(…)`, `excluded_until` and `excluded_permanently`.
    """
    remembered = rows.subquery("remembered")
    new = upsert(erased_identities).from_select(
        ["identity", "excluded_until", "excluded_permanently", "erased_at"], select(*remembered.c, NOW)
    )
    return new.on_conflict_do_update(
        index_elements=["identity"],
        set_={"erased_at": NOW, **stricter(erased_identities.c, new.excluded)},
    )
