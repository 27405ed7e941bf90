"""The edge of settlements: the schedule's run, the copies of boundary feeds in the bucket, and alarms."""

import logging
from collections import Counter
from datetime import datetime

from goatedvips.alarms import Alarm, alarm
from goatedvips.clients import raw_feed
from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.races import boundaries
from goatedvips.domain.races.results import settlement
from goatedvips.domain.races.results.archive import Report

logger = logging.getLogger("goatedvips.race_settlement")


def settle_due() -> Counter[str]:
    """Settle each race that is due, in a transaction of its own, and raise an alarm of those that are overdue.

    What goes wrong with one race does not delay the others.
    """
    done = Counter({"settled": 0, "failed": 0, "overdue": 0})
    with transaction() as connection:
        race_ids = settlement.find_due(connection, now=utc_now())
    for race_id in race_ids:
        done[_settle_one(race_id, now=utc_now())] += 1
    with transaction() as connection:
        overdue = settlement.find_overdue(connection, now=utc_now())
    if overdue:
        alarm(Alarm.RACE_UNSETTLED, races=len(overdue), first_race_id=overdue[0])
    done["overdue"] = len(overdue)
    return done


def _settle_one(race_id: int, *, now: datetime) -> str:
    try:
        with transaction() as connection:
            report = settlement.settle_due(connection, race_id, now=now)
            raise_alarms(report)
    except Exception:
        logger.exception("not settled", extra={"race_id": race_id})
        return "failed"
    return "skipped" if report is None else "settled"


def raise_alarms(report: Report | None) -> None:
    """Raise an alarm of a race that is settled now and has participants, of whom nobody is ranked.

    Call it before the commit: an alarm too many is harmless, and one that a process takes along is lost.
    """
    if report is not None and report.participants and not report.ranked and report.just_settled:
        alarm(Alarm.RACE_WITHOUT_RANKED, race_id=report.race_id, participants=report.participants)


def keep_feeds() -> int:
    """Copy the raw feeds of fixed boundaries to where the bucket keeps them for longer; return how many.

    Settlements only fix the feeds, so that nothing is lost if a process ends in between: the next run copies them, and
    a raw feed is there for more than a year. To copy one again is harmless. One that cannot be copied delays no other.

    Raises
    ------
    Exception: some could not be copied; the others were.
    """
    failures: list[Exception] = []
    with transaction() as connection:
        unkept = boundaries.find_unkept(connection)
    for instant, key in unkept:
        try:
            raw_feed.keep_for_settlement(key)
        except Exception as error:
            logger.exception("not copied", extra={"key": key})
            failures.append(error)
            continue
        with transaction() as connection:
            boundaries.record_kept(connection, instant, now=utc_now())
    if failures:
        raise failures[0]
    return len(unkept)
