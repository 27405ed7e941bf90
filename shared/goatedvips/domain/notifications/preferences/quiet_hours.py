"""Quiet hours: when a member wants neither push messages nor mail that can wait."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from goatedvips import time_zones


@dataclass(frozen=True, slots=True)
class QuietHours:
    """The hours [quiet_from, quiet_to) of each day by the clock of a time zone; over midnight if they end earlier.

    Parameters
    ----------
    time_zone: IANA name.
    """

    quiet_from: time
    quiet_to: time
    time_zone: str

    def has(self, clock: time) -> bool:
        """Whether the hours contain a time of the day."""
        if self.quiet_from < self.quiet_to:
            return self.quiet_from <= clock < self.quiet_to
        return clock >= self.quiet_from or clock < self.quiet_to


def end_of_quiet(hours: QuietHours, now: datetime) -> datetime | None:
    """Return when the present quiet hours end, in UTC; None: `now` is not in them.

    Where clocks are put back, an hour comes twice, and its quiet hours too. Where they are put forward over `quiet_to`,
    the quiet lasts up to an hour longer. In a time zone that tzdata does not have there are no quiet hours.
    """
    try:
        zone = time_zones.zone(hours.time_zone)
    except time_zones.UnknownTimeZone:
        return None
    local = now.astimezone(zone)
    if not hours.has(local.time()):
        return None
    ends = (
        datetime.combine(local.date() + timedelta(days=days), hours.quiet_to, zone).replace(fold=fold).astimezone(UTC)
        for days in (0, 1)
        for fold in (0, 1)
    )
    return min(end for end in ends if end > now and not hours.has(end.astimezone(zone).time()))
