"""Time zones follow the tzdata package, not the machine."""

from datetime import UTC, datetime

import pytest

from goatedvips import time_zones


@pytest.mark.parametrize(
    ("name", "hour"),
    [("America/Vancouver", 7), ("America/Winnipeg", 5), ("Africa/Casablanca", 0), ("Europe/Berlin", -1)],
)
def test_a_local_midnight_follows_the_rules_of_the_package(name: str, hour: int) -> None:
    """In the release 2025b, which Debian 12 has, the first three were an hour later or earlier."""
    midnight = datetime(2026, 12, 7, tzinfo=time_zones.zone(name)).astimezone(UTC)
    assert (midnight - datetime(2026, 12, 7, tzinfo=UTC)).total_seconds() == hour * 3600


def test_every_name_has_its_zone() -> None:
    assert len(time_zones.names()) > 500
    assert {time_zones.zone(name).key for name in time_zones.names()} == time_zones.names()


@pytest.mark.parametrize("name", ["", "Factory", "localtime", "Europe", "europe/berlin", "../UTC", "/UTC", "a\x00b"])
def test_what_names_no_place_is_unknown(name: str) -> None:
    with pytest.raises(time_zones.UnknownTimeZone):
        time_zones.zone(name)
