"""Every minute, what the clock changes: the status of races, the next race of each one that repeats, reminders.

Reminders are of bonus codes that expire soon. A long exclusion ends a day after its member has ended it. It also counts
the figures of the staff's overview, and how long mail and the feed have been waited for, which has alarms.
"""

from dataclasses import asdict

from goatedvips.clock import utc_now
from goatedvips.config import settings
from goatedvips.db import transaction
from goatedvips.domain.accounts import exclusions
from goatedvips.domain.codes import expiring
from goatedvips.domain.operations import figures, waits
from goatedvips.domain.races import participant_counts, recurrence
from goatedvips.schedule import lambda_handler


def advance_races() -> dict[str, int]:
    with transaction() as connection:
        advance = recurrence.advance(connection, legacy_app=settings.legacy_app, now=utc_now())
        participant_counts.fold(connection)
    with transaction() as connection:
        expiring.queue_reminders(connection, now=utc_now())
    with transaction() as connection:
        ended = exclusions.end_due(connection, now=utc_now())
    with transaction() as connection:  # another one, so that counting holds no lock on races up
        figures.write(connection, now=utc_now())
        waited = waits.measure(connection, now=utc_now())
    return asdict(advance) | {"ended_exclusions": ended} | asdict(waited)


handler = lambda_handler(advance_races)
