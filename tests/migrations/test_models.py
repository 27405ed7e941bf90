"""The models on a real database: the guide's relations, and instants that are aware on our side and plain on its."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Engine, insert, literal, select, text
from sqlalchemy.exc import InvalidRequestError, StatementError
from sqlalchemy.orm import Session, selectinload

from goatedvips.models.newsletter import newsletter_subscriptions
from goatedvips.models.relations import (
    BonusCode,
    SupportTicket,
    TicketMessage,
    User,
    WagerRace,
    WagerRaceParticipant,
    WheelSpin,
)
from goatedvips.models.schema import Instant
from migrations.upgrade import upgrade

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


def test_relations_work_both_ways_and_are_never_loaded_lazily(url: str, database: Engine) -> None:
    """Every relation of the guide exists, and access to one that was not loaded raises an error."""
    upgrade(url)
    race = WagerRace(
        title="June",
        type="monthly",
        status="live",
        prize_pool=500,
        start_date=NOON,
        end_date=NOON,
        min_wager=0,
        prize_distribution={"1": 100},
    )
    member = User(
        username="ann",
        password="x",
        email="ann@example.com",
        wheel_spins=[WheelSpin(segment_index=1)],
        bonus_codes=[BonusCode(code="WELCOME", expires_at=NOON)],
        wager_race_participations=[WagerRaceParticipant(race=race, total_wager=5)],
        support_tickets=[
            SupportTicket(subject="Bonus", description="Where?", messages=[TicketMessage(message="Here.")])
        ],
    )
    with Session(database) as session:
        session.add(member)
        session.commit()

    with Session(database) as session:
        found = session.scalars(
            select(User).options(
                selectinload(User.wheel_spins),
                selectinload(User.bonus_codes),
                selectinload(User.wager_race_participations).selectinload(WagerRaceParticipant.race),
                selectinload(User.support_tickets).selectinload(SupportTicket.messages),
            )
        ).one()
        assert len(found.wheel_spins) == len(found.bonus_codes) == 1
        assert [part.race for part in found.wager_race_participations] == list(session.scalars(select(WagerRace)))
        assert [len(ticket.messages) for ticket in found.support_tickets] == [1]
        with pytest.raises(InvalidRequestError, match="lazy='raise'"):
            _ = found.ticket_messages


def test_instants_are_stored_as_utc(url: str, database: Engine) -> None:
    """From any time zone in, as UTC out; the database's own `now()` is the same clock."""
    upgrade(url)
    berlin = NOON.astimezone(timezone(timedelta(hours=2)))
    table = newsletter_subscriptions
    with database.begin() as connection:
        row = connection.execute(
            insert(table)
            .values(email="a", unsubscribed_at=berlin)
            .returning(table.c.unsubscribed_at, table.c.subscribed_at)
        ).one()
        stored = connection.scalar(text("SELECT unsubscribed_at::text FROM newsletter_subscriptions"))

    assert row.unsubscribed_at == NOON
    assert row.unsubscribed_at.tzinfo is UTC
    assert stored == "2025-06-01 12:00:00"
    assert abs(row.subscribed_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_time_of_no_zone_is_refused(database: Engine) -> None:
    """Nobody could tell which instant was meant."""
    with database.connect() as connection, pytest.raises(StatementError, match="needs a time zone"):
        connection.execute(select(literal(NOON.replace(tzinfo=None), Instant)))


def test_a_handler_does_not_import_the_orm() -> None:
    """It pays for the tables of its domain and no more."""
    program = "import sys, goatedvips.models.wheel; print(*sys.modules)"
    path = os.pathsep.join(sys.path)
    run = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    imported = set(run.stdout.split())

    assert "sqlalchemy.orm" not in imported
    assert {name for name in imported if name.startswith("goatedvips.models.")} == {
        "goatedvips.models.schema",
        "goatedvips.models.wheel",
    }
