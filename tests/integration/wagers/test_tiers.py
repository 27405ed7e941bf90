"""The tier that a lifetime wager reaches: written by triggers, whoever writes the total."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
import sqlalchemy as sa

from goatedvips.models.accounts import users
from goatedvips.models.wagers import tier_versions
from tests.support.members import Member, Members

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


@pytest.fixture
def connection(database: sa.Engine) -> Iterator[sa.Connection]:
    with database.connect() as connection:
        yield connection


def tier(connection: sa.Connection, member: Member) -> str | None:
    found: str | None = connection.execute(sa.select(users.c.tier).where(users.c.id == member.id)).scalar_one()
    return found


@pytest.mark.parametrize(("total", "expected"), TOTALS.items())
def test_a_total_reaches_the_highest_tier_whose_minimum_it_has(
    connection: sa.Connection, members: Members, total: str, expected: str | None
) -> None:
    member = members.new(seeds=False, total_wager=Decimal(70_000))
    assert tier(connection, member) == "Silver"
    members.change(member, total_wager=Decimal(total))
    assert tier(connection, member) == expected
    members.change(member, bio="Grass.", tier="Tin")
    members.change(member, total_wager=Decimal(total))
    assert tier(connection, member) == expected, "it follows the total whatever stood there"


def test_the_newest_version_of_the_tiers_is_in_force(connection: sa.Connection, members: Members) -> None:
    totals = {"49.99": None, "50": "Low", "50.01": "High", "NaN": None}
    old: dict[Member, str | None] = {members.new(seeds=False, total_wager=Decimal(50)): "Low"}
    for total, expected in totals.items():
        member = members.new(seeds=False)
        members.change(member, total_wager=Decimal(total))
        old[member] = expected
    new = [{"name": name, "min_wager": least, "reward": None} for name, least in (("Low", "50.00"), ("High", "50.01"))]
    version = connection.scalar(sa.insert(tier_versions).values(tiers=new).returning(tier_versions.c.id))
    try:
        assert {member: tier(connection, member) for member in old} == old
        member = members.new(seeds=False, total_wager=Decimal(60))
        assert tier(connection, member) == "High"
    finally:
        connection.execute(sa.delete(tier_versions).where(tier_versions.c.id == version))
    assert tier(connection, member) == "Copper"
