"""Time zones by their IANA names, always by the rules of the tzdata package that is deployed with the code.

Python's `ZoneInfo("…")` reads the rules of the machine first. Those can be years older than the package, and differ
from one machine to the next.
"""

from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo


class UnknownTimeZone(LookupError):
    """The tzdata package has no zone of this name."""


@cache
def names() -> frozenset[str]:
    """The names of all zones, such as `Europe/Berlin`."""
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split()) - {"Factory"}  # names no place


@cache
def zone(name: str) -> ZoneInfo:
    """The time zone of a name.

    Raises
    ------
    UnknownTimeZone
    """
    if name not in names():
        raise UnknownTimeZone(name)
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as rules:
        return ZoneInfo.from_file(rules, key=name)
