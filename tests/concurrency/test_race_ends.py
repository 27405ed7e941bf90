"""The end of a race while feeds come in, staff change it, and members are erased, excluded and linked anew."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from unittest.mock import ANY

import pytest
import sqlalchemy as sa

from goatedvips.domain.access import Caller
from goatedvips.domain.accounts import credentials, exclusions, link_decisions
from goatedvips.domain.accounts.log_in import LogInAttempt
from goatedvips.domain.members import changes
from goatedvips.domain.members.changes import Change
from goatedvips.domain.privacy import erasure
from goatedvips.domain.races import changes as race_changes
from goatedvips.domain.races import disqualification
from goatedvips.domain.races.results import settlement
from goatedvips.domain.races.results.archive import Report
from goatedvips.errors import NotSettleable, RaceSettled
from goatedvips.models.accounts import account_links, users
from goatedvips.models.races import historical_races, wager_races
from goatedvips.models.rewards import rewards
from tests.concurrency.story import DAY, DUE, END, HOUR, MINUTE, NEXT_END, START, State, Step, Story
from tests.concurrency.together import at_once_behind
from tests.support.rows import insert_row
from tests.support.stack import Stack

SECOND = timedelta(seconds=1)
LATER = DUE + 2 * HOUR
each_order = pytest.mark.parametrize("settles_first", [True, False], ids=["settlement first", "settlement second"])


@pytest.fixture
def story(database: sa.Engine, servers: Stack) -> Story:
    """Members who have wagered in a race that has ended."""
    story = Story(database, lambda role: servers.direct(os.environ["TEST_DATABASE"], role))
    story.happens(story.feed(START, 1000, 1000, 1000), story.feed(END + MINUTE, 1300, 1200, 1100))
    return story


def settle_at_once_with(story: Story, step: Step, *, settles_first: bool) -> list[object]:
    """Settle a race while something else happens, and then the race that starts at its end."""
    first, second = (story.settling(), step) if settles_first else (step, story.settling())
    later = [
        story.settling(now=LATER),
        story.feed(NEXT_END, 2000, 1900, 1800),
        story.settling(story.next_race, now=NEXT_END + HOUR),
    ]
    returned = story.overlap(first, second, later)
    assert set(story.results()) == {story.race, story.next_race}
    return returned if settles_first else returned[::-1]


@each_order
@pytest.mark.parametrize("at", [START - HOUR, START + DAY, END - MINUTE, END, END + 30 * SECOND, END + HOUR, LATER])
def test_a_feed_that_is_ingested_while_the_race_is_settled_counts_for_both_races_or_for_none(
    story: Story, at: datetime, settles_first: bool
) -> None:
    late = story.feed(at, 1250, 1299, 1333, ingested_at=DUE)
    settle_at_once_with(story, late, settles_first=settles_first)


@pytest.mark.parametrize("at", [START - HOUR, START + SECOND, START + DAY, END - MINUTE, END, END + 30 * SECOND])
def test_a_feed_that_is_ingested_after_the_settlement_changes_nothing_of_it(story: Story, at: datetime) -> None:
    story.happens(story.settling())
    before = story.results()
    story.happens(story.feed(at, 1290, 1280, 1270, ingested_at=DUE + HOUR), story.settling(now=LATER))
    assert story.results() == before
    story.happens(story.feed(NEXT_END, 1400, 1400, 1400), story.settling(story.next_race, now=NEXT_END + HOUR))
    story.check()


@each_order
def test_a_race_is_settled_or_cancelled(story: Story, settles_first: bool) -> None:
    cancelling = partial(race_changes.cancel, caller=story.staff, race_id=story.race, now=DUE)
    steps = [story.settling(), Step("api", cancelling, lambda _: None)]
    first, second = story.overlap_freely(*(steps if settles_first else steps[::-1]))
    race = read_race(story)
    assert (race.settled_at is None, race.cancelled_at is None) == (not settles_first, settles_first)
    assert not isinstance(first, Exception), first
    assert isinstance(second, RaceSettled) if settles_first else not second, second
    assert count_paid(story) == (3 if settles_first else 0)


@each_order
def test_a_race_is_settled_or_its_end_moves_by_a_clock_that_is_behind(story: Story, settles_first: bool) -> None:
    end = END + DAY
    moving = partial(
        race_changes.change, caller=story.staff, race_id=story.race, given={"end_date": end}, now=END - SECOND
    )
    steps = [story.settling(), Step("api", moving, lambda _: None)]
    first, second = story.overlap_freely(*(steps if settles_first else steps[::-1]))
    assert not isinstance(first, Exception), first
    race = read_race(story)
    assert (race.settled_at is not None, race.end_date) == ((True, END) if settles_first else (False, end))
    assert isinstance(second, RaceSettled) if settles_first else second is None, second
    assert count_paid(story) == (3 if settles_first else 0)


def read_race(story: Story) -> sa.Row[tuple[object, ...]]:
    with story.database.connect() as connection:
        return connection.execute(sa.select(wager_races).where(wager_races.c.id == story.race)).one()


def count_paid(story: Story) -> int:
    """Count the rewards of the race; it has one archive row if there are any."""
    paid = sa.select(sa.func.count()).where(rewards.c.source_type == "race", rewards.c.source_id == story.race)
    archived = sa.select(sa.func.count()).where(historical_races.c.race_id == story.race)
    with story.database.connect() as connection:
        count = connection.scalar(paid) or 0
        assert connection.scalar(archived) == (count > 0)
    return count


def erase(story: Story) -> Step:
    member = story.members[0]
    caller = Caller(member.id, member.session_id, "test")
    proof = partial(credentials.begin_attempt, caller=caller, client_network="203.0.113.9", now=DUE)
    (attempt,) = story.happens(story.change(proof))
    assert isinstance(attempt, LogInAttempt)
    erasing = story.change(partial(erasure.erase, caller=caller, attempt=attempt, now=DUE), uid=None, is_erased=True)
    forget = erasing.effect

    def effect(state: State) -> None:
        forget(state)
        state.reports.erase(story.uids[0])

    return Step("api", erasing.work, effect)


def exclude(story: Story) -> Step:
    member = story.members[0]
    caller = Caller(member.id, member.session_id, "test")
    return story.change(
        partial(exclusions.exclude, caller=caller, days=5, now=END - SECOND), excluded_since=END - SECOND
    )


def exclude_after_the_end(story: Story) -> Step:
    member = story.members[0]
    caller = Caller(member.id, member.session_id, "test")
    return story.change(
        partial(exclusions.exclude, caller=caller, days=5, now=END + SECOND), excluded_since=END + SECOND
    )


def suspend(story: Story) -> Step:
    change = Change(suspended=True, reason="Rude.")
    work = partial(changes.change, caller=story.staff, member_id=story.members[0].id, wanted=change, now=DUE)
    return story.change(work, is_suspended=True)


def disqualify(story: Story) -> Step:
    def effect(state: State) -> None:
        state.races[story.race].participants[story.members[0].id].is_disqualified = True

    work = partial(
        disqualification.change,
        caller=story.staff,
        race_id=story.race,
        member_id=story.members[0].id,
        disqualified=True,
        reason="Wagered for somebody else.",
        now=DUE,
    )
    return Step("api", work, effect)


def unlink(story: Story) -> Step:
    """As the legacy application does it."""
    ending = sa.update(users).where(users.c.id == story.members[0].id).values(uid=None, verified=False)
    return story.change(lambda connection: connection.execute(ending) and None, role="postgres", uid=None)


def link_anew(story: Story) -> Step:
    """The first member is linked to the uid of the third one, who has lost it."""
    story.happens(
        story.change(
            lambda connection: (
                connection.execute(
                    sa.update(users).where(users.c.id == story.members[2].id).values(uid=None, verified=False)
                )
                and None
            ),
            member=2,
            role="postgres",
            uid=None,
        )
    )
    link = insert_row(story.database, account_links, user_id=story.members[0].id, uid=story.uids[2], requested_at=END)
    work = partial(
        link_decisions.decide, caller=story.staff, link_id=link, decision="approved", reason="Shown.", now=DUE
    )
    return story.change(work, uid=story.uids[2])


each_change = pytest.mark.parametrize(
    "change", [erase, exclude, exclude_after_the_end, suspend, disqualify, unlink, link_anew]
)


@each_change
@each_order
def test_a_participant_changes_while_the_race_is_settled(
    story: Story, change: Callable[[Story], Step], settles_first: bool
) -> None:
    settle_at_once_with(story, change(story), settles_first=settles_first)


@each_change
def test_a_participant_changes_between_the_end_and_the_settlement(
    story: Story, change: Callable[[Story], Step]
) -> None:
    story.happens(change(story), story.settling())
    story.check()


@each_change
def test_a_participant_who_changes_after_the_settlement_keeps_rank_and_prize(
    story: Story, change: Callable[[Story], Step]
) -> None:
    if change is disqualify:
        step = change(story)
        story.happens(story.settling())
        with pytest.raises(RaceSettled):
            story.happens(step)
    else:
        story.happens(story.settling(), change(story))
    story.check()


@pytest.mark.parametrize("late", [timedelta(), timedelta(days=3)])
def test_four_settlements_at_once_by_clocks_that_differ_give_one_result(story: Story, late: timedelta) -> None:
    now = DUE + late
    row = sa.select(wager_races.c.id).where(wager_races.c.id == story.race)
    works = [
        partial(settlement.settle, caller=story.staff, race_id=story.race, now=now + number * SECOND)
        for number in range(4)
    ]
    reports = at_once_behind(story.database, row, story.url("jobs"), works)
    assert all(isinstance(report, Report) for report in reports), reports
    found = [replace(report, just_settled=False) for report in reports if isinstance(report, Report)]
    assert found == found[:1] * 4
    assert [report.just_settled for report in reports if isinstance(report, Report)].count(True) == 1
    story.state.settle(story.race, now=DUE)
    story.check()


def test_a_clock_that_is_a_second_behind_settles_nothing_before_its_time(story: Story) -> None:
    with pytest.raises(NotSettleable):
        story.happens(story.settling(now=END + MINUTE + timedelta(minutes=30) - SECOND))
    assert story.results() == {}
    story.happens(story.settling(now=END + MINUTE + timedelta(minutes=30)))
    story.check()


@each_order
def test_a_race_that_the_legacy_application_ends_during_the_cut_over_waits_for_staff(
    story: Story, settles_first: bool
) -> None:
    """It knows none of the platform's columns, and sets the status itself."""
    copied = "title, type, prize_pool, start_date, end_date, min_wager, prize_distribution"
    copy = f"SELECT {copied}, 'live' FROM wager_races WHERE id = :id"
    made = f"INSERT INTO wager_races ({copied}, status) {copy} RETURNING id"
    joined = "INSERT INTO wager_race_participants (race_id, user_id, total_wager) VALUES (:id, :user, 0)"
    ended = sa.text("UPDATE wager_races SET status = 'completed', updated_at = now() WHERE id = :id RETURNING id")
    with story.database.connect() as connection:
        race_id = connection.execute(sa.text(made), {"id": story.race}).scalar_one()
        for member in story.members:
            connection.execute(sa.text(joined), {"id": race_id, "user": member.id})
    story.state.races[race_id] = replace(story.state.races[story.race], id=race_id)
    assert story.happens(
        story.settling(), story.change(partial(settlement.settle_due, race_id=race_id, now=LATER), role="jobs")
    ) == [ANY, None]
    with story.database.connect() as connection:
        assert settlement.find_due(connection, now=LATER) == []
    for_staff = partial(settlement.settle, caller=story.staff, race_id=race_id, now=LATER)
    settling = Step("jobs", for_staff, lambda state: state.settle(race_id, now=LATER))
    ending = story.change(lambda connection: connection.execute(ended, {"id": race_id}).scalar_one(), role="postgres")
    first, second = (settling, ending) if settles_first else (ending, settling)
    returned = story.overlap(first, second)
    assert not [one for one in returned if isinstance(one, Exception)], returned
    assert race_id in story.results()


def test_a_feed_that_died_before_the_end_settles_nothing_until_it_is_whole_again(
    database: sa.Engine, servers: Stack
) -> None:
    story = Story(database, lambda role: servers.direct(os.environ["TEST_DATABASE"], role))
    story.happens(story.feed(START, 1000, 1000, 1000), story.feed(END - HOUR, 1300, 1200, 1100))
    for now in (DUE, LATER, END + 2 * DAY):
        with pytest.raises(NotSettleable):
            story.happens(story.settling(now=now))
    assert story.results() == {}
    story.happens(
        story.feed(END + 3 * DAY, 1400, 1250, 1300),
        story.settling(now=END + 3 * DAY + HOUR),
        story.feed(END + MINUTE, 1301, 1201, 1101, ingested_at=END + 4 * DAY),
        story.feed(NEXT_END, 1500, 1500, 1500),
        story.settling(story.next_race, now=NEXT_END + HOUR),
    )
    story.check()


@each_order
def test_staff_force_a_settlement_while_the_feed_comes_back(
    database: sa.Engine, servers: Stack, settles_first: bool
) -> None:
    story = Story(database, lambda role: servers.direct(os.environ["TEST_DATABASE"], role))
    story.happens(story.feed(START, 1000, 1000, 1000), story.feed(END - HOUR, 1300, 1200, 1100))
    forced_at = END + DAY
    with pytest.raises(NotSettleable):
        story.happens(story.forcing(now=forced_at - SECOND))
    back = story.feed(forced_at - MINUTE, 1400, 1410, 1420, ingested_at=forced_at - MINUTE)
    forcing = story.forcing(now=forced_at)
    later = [
        story.settling(now=forced_at + HOUR),
        story.feed(NEXT_END, 1500, 1500, 1500),
        story.settling(story.next_race, now=NEXT_END + HOUR),
    ]
    story.overlap(*((forcing, back) if settles_first else (back, forcing)), later)
    assert set(story.results()) == {story.race, story.next_race}
