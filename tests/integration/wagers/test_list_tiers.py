"""GET /v1/tiers shows anyone the tiers in force."""

from tests.support.functions import Functions
from tests.support.members import Members


def test_the_default_tiers(functions: Functions, members: Members) -> None:
    answer = functions.call("list_tiers")
    assert answer.status == 200
    assert answer.json["version"] == 1
    assert [tuple(tier.values()) for tier in answer.json["tiers"]] == [
        ("Copper", "0.00", "0.00"),
        ("Bronze", "10000.00", "0.00"),
        ("Silver", "40000.00", "0.00"),
        ("Gold", "100000.00", "0.00"),
        ("Platinum", "450000.00", "0.00"),
        ("Pearl", "1500000.00", "0.00"),
        ("Sapphire", "3000000.00", "0.00"),
        ("Emerald", "7000000.00", "0.00"),
        ("Diamond", "20000000.00", "0.00"),
    ]
    assert functions.call("list_tiers", by=members.new()).text == answer.text
