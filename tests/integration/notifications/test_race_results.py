"""The mail with a race's result."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.accounts import users
from goatedvips.models.rewards import rewards
from tests.integration.notifications.conftest import NONE, Message, Send, put, row
from tests.support.members import Member, Members
from tests.support.races import Races
from tests.support.rows import insert_row

SETTLED = datetime(2026, 6, 8, 0, 30, tzinfo=UTC)


def participant(races: Races, members: Members, **columns: Any) -> tuple[int, Member]:
    race_id, member = races.new(title="June\r\nBcc: all <b>"), members.new(seeds=False)
    races.enter(race_id, member.id, **columns)
    return race_id, member


def test_a_winner_reads_rank_wager_and_prize(
    database: sa.Engine, members: Members, races: Races, send: Send, messages: list[Message]
) -> None:
    race_id, member = participant(races, members, rank=2, total_wager=Decimal("1234567.89"))
    given = {"user_id": member.id, "source_id": race_id, "amount": Decimal("1250.5"), "created_at": SETTLED}
    insert_row(database, rewards, source_type="race", **given)
    insert_row(database, rewards, source_type="spin", **given | {"amount": Decimal(7)})
    put(database, "race_result", user_id=member.id, address=member.email, payload={"race_id": race_id})
    assert send() == NONE | {"sent": 1}
    ((to, subject, text, html, _),) = messages
    assert (to, subject) == (member.email, "The result of June Bcc: all <b>")
    *paragraphs, unsubscribe = text.split("\n\n")
    assert unsubscribe.startswith("Unsubscribe: http")
    assert paragraphs == [
        "The race June Bcc: all <b> is over.",
        "You wagered $1,234,567.89 in it and finished at rank 2.",
        "You won $1,250.50. The prize is in your rewards.",
    ]
    assert "<b>" not in html


def test_somebody_without_a_rank_reads_that_they_have_none(
    database: sa.Engine, members: Members, races: Races, send: Send, messages: list[Message]
) -> None:
    race_id, member = participant(races, members, total_wager=Decimal("3.1"))
    put(database, "race_result", user_id=member.id, address=member.email, payload={"race_id": race_id})
    assert send() == NONE | {"sent": 1}
    ((_, _, text, _, _),) = messages
    assert "You wagered $3.10 in it. That was not enough for a rank." in text
    assert "This time there is no prize for you." in text


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"suspended_at": SETTLED}, "suspended"),
        ({"excluded_permanently": True}, "excluded"),
        ({"excluded_until": SETTLED}, "excluded"),
        ({"email_verified": False}, "address_not_verified"),
        ({"email": "another@example.com"}, "address_not_verified"),
    ],
)
def test_it_is_dropped_if_the_member_gets_no_mail_about_play(
    database: sa.Engine,
    members: Members,
    races: Races,
    send: Send,
    messages: list[Message],
    change: dict[str, Any],
    reason: str,
) -> None:
    race_id, member = participant(races, members, rank=1)
    mail_id = put(database, "race_result", user_id=member.id, address=member.email, payload={"race_id": race_id})
    if "email" in change:
        change = {"email": f"{member.id}-{change['email']}"}
    with database.connect() as connection:
        connection.execute(sa.update(users).where(users.c.id == member.id).values(change))
    assert send() == NONE | {"dropped": 1}
    assert messages == []
    assert row(database, mail_id).dropped_reason == reason
