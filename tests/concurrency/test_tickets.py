"""Concurrent requests open as many tickets as the throttle allows."""

from collections import Counter
from datetime import UTC, datetime
from functools import partial

import sqlalchemy as sa

from goatedvips.domain.access import Caller
from goatedvips.domain.tickets import tickets
from goatedvips.errors import TooManyAttempts
from goatedvips.models.tickets import support_tickets
from tests.concurrency.together import at_once
from tests.support.members import Members

NOW = datetime.now(UTC)


def test_forty_concurrent_requests_of_one_member_open_twenty_tickets(
    patient: str, members: Members, database: sa.Engine
) -> None:
    member = members.new()
    caller = Caller(member.id, member.session_id, "test")
    work = partial(tickets.open_ticket, caller=caller, subject="S", description="D", priority="low", now=NOW)
    results = at_once(patient, [work] * 40)
    assert Counter(type(result) for result in results) == {tickets.Ticket: 20, TooManyAttempts: 20}, results
    with database.connect() as connection:
        count = sa.select(sa.func.count()).where(support_tickets.c.user_id == member.id)
        assert connection.execute(count).scalar_one() == 20
