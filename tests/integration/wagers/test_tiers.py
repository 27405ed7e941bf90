"""The tier that a lifetime wager reaches."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
import sqlalchemy as sa

from goatedvips.domain.wagers.tiers import is_in_tier, tier_of
from goatedvips.models.accounts import users
from goatedvips.models.wagers import tier_versions
from tests.support.members import Members

TOTALS = {
    "0": "Copper",
    "9999.99999999": "Copper",
    "10000": "Bronze",
    "39999.99999999": "Bronze",
    "40000": "Silver",
    "100000": "Gold",
    "450000": "Platinum",
    "1500000": "Pearl",
    "3000000": "Sapphire",
    "7000000": "Emerald",
    "19999999.99999999": "Emerald",
    "20000000": "Diamond",
    "9999999999.99999999": "Diamond",
    "-0.00000001": None,
    "NaN": None,
}
WANTED = sa.bindparam("wanted", type_=sa.Text)


@pytest.fixture
def connection(database: sa.Engine) -> Iterator[sa.Connection]:
    with database.connect() as connection:
        yield connection


@pytest.mark.parametrize(("total", "tier"), TOTALS.items())
def test_a_total_reaches_the_highest_tier_whose_minimum_it_has(
    connection: sa.Connection, members: Members, total: str, tier: str | None
) -> None:
    member = members.new(seeds=False)
    members.change(member, total_wager=Decimal(total))
    row = sa.select(tier_of(users.c.total_wager)).where(users.c.id == member.id)
    assert connection.execute(row).scalar_one() == tier
    found = sa.select(users.c.id).where(users.c.id == member.id, is_in_tier(users.c.total_wager, WANTED))
    names = {name for name in TOTALS.values() if name}
    assert {name for name in names if connection.scalar(found, {"wanted": name})} == {tier} - {None}
    assert connection.scalar(found, {"wanted": "Cardboard"}) is None


def test_the_newest_version_of_the_tiers_is_in_force(connection: sa.Connection, members: Members) -> None:
    member = members.new(seeds=False, total_wager=Decimal(50))
    new = [{"name": name, "min_wager": least, "reward": None} for name, least in (("Low", "50.00"), ("High", "50.01"))]
    version = connection.scalar(sa.insert(tier_versions).values(tiers=new).returning(tier_versions.c.id))
    try:
        aliased = users.alias()
        row = sa.select(tier_of(aliased.c.total_wager), is_in_tier(aliased.c.total_wager, WANTED))
        assert connection.execute(row.where(aliased.c.id == member.id), {"wanted": "Low"}).one() == ("Low", True)
        assert connection.execute(row.where(aliased.c.id == member.id), {"wanted": "Copper"}).one() == ("Low", None)
    finally:
        connection.execute(sa.delete(tier_versions).where(tier_versions.c.id == version))
