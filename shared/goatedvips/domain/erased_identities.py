"""Keyed hashes of the e-mail addresses and uids of erased members, and the exclusions that survive with them.

A person who comes back with the same address or uid is excluded from play again, until the exclusion's end has passed
and they end it.  The address or uid that an excluded member gives up for another one is remembered too.  Until the
member is erased it refers to them, and the trigger `extend_given_up` gives it each longer exclusion of theirs.
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

type Kind = Literal["email", "uid", "login"]
type Columns = ReadOnlyColumnCollection[str, Any]


def identity(kind: Kind, value: ColumnElement[str]) -> ColumnElement[bytes]:
    """Return the keyed hash of an identifier: in NFC (adopted rows may not be), and ignoring case except for a uid."""
    normalised = func.normalize(value if kind == "uid" else func.lower(value))
    return func.identity_hash(literal(kind), normalised, type_=erased_identities.c.identity.type)


def remembered_exclusion(kind: Kind, value: ColumnElement[str]) -> Select[Any]:
    """Select the exclusion that is remembered for an address or a uid.

    It always has one row, `excluded_until` and `excluded_permanently`: null and false if nothing is remembered.
    """
    permanently = func.coalesce(func.bool_or(erased_identities.c.excluded_permanently), false())
    return select(
        func.max(erased_identities.c.excluded_until).label("excluded_until"), permanently.label("excluded_permanently")
    ).where(erased_identities.c.identity == identity(kind, value))


def stricter_exclusion(one: Columns, other: Columns) -> dict[str, ColumnElement[Any]]:
    """Return the stricter of two exclusions as values of their two columns: permanent, or until the later end.

    `excluded_since` stays. It is null in a member who was not excluded until now, so the exclusion that is remembered
    for them counts from before all races.
    """
    permanently = or_(one.excluded_permanently, other.excluded_permanently)
    until = func.greatest(one.excluded_until, other.excluded_until)
    return {"excluded_permanently": permanently, "excluded_until": case((~permanently, until))}


def is_remembered_for_email(account: Columns) -> ColumnElement[bool]:
    """Whether a member's exclusion is remembered for their e-mail address, bound to `VERIFIED_EMAIL_REQUIRED`.

    Where play needs a verified address, an unverified one allowed nobody to play, and it may be a stranger's, who would
    be excluded permanently.
    """
    return and_(is_excluded(account), or_(account.email_verified.is_(true()), ~VERIFIED_EMAIL_REQUIRED))


def take_over_exclusion(owner_id: BindParameter[int]) -> Update:
    """Return the update that applies the exclusion remembered for a member's address, if there is one, to the member.

    It must be in a later statement than the one that gives the member the address: that one may wait for a concurrent
    erasure of the address's owner, and does not see what the erasure remembered.
    """
    owner = users.alias("owner")
    exclusion = remembered_exclusion("email", owner.c.email).lateral("exclusion")
    remembered = (
        select(owner.c.id, exclusion.c.excluded_until, exclusion.c.excluded_permanently)
        .join(exclusion, true())
        .where(owner.c.id == owner_id)
        .cte("remembered")
    )
    return (
        update(users)
        .where(users.c.id == remembered.c.id, is_excluded(remembered.c))
        .values(stricter_exclusion(users.c, remembered.c))
    )


def remember(rows: Select[Any] | CompoundSelect[Any]) -> Insert:
    """Return the upsert that remembers identities, each with the strictest exclusion it was ever remembered with.

    Parameters
    ----------
    rows: `identity(…)`, `excluded_until`, `excluded_permanently`, and the id of the member who gave the identity up, or
        null if the member is erased with it.
    """
    remembered = rows.subquery("remembered")
    new = upsert(erased_identities).from_select(
        ["identity", "excluded_until", "excluded_permanently", "given_up_by", "erased_at"], select(*remembered.c, NOW)
    )
    return new.on_conflict_do_update(
        index_elements=["identity"],
        set_={
            "erased_at": NOW,
            "given_up_by": func.coalesce(new.excluded.given_up_by, erased_identities.c.given_up_by),
            **stricter_exclusion(erased_identities.c, new.excluded),
        },
    )
