"""Demo data for `make run`: staff, members, codes and races to try everything with, and the lines to try it by.

The passwords are made here at the first start and kept beside the data, in the folder that git ignores.
"""

import json
import secrets
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, exists, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain.access import Caller
from goatedvips.domain.accounts import passwords, registration
from goatedvips.domain.codes import issue
from goatedvips.domain.races import races
from goatedvips.models.accounts import sessions, users
from goatedvips.models.codes import bonus_codes
from goatedvips.models.races import wager_race_participants, wager_races
from goatedvips.validators.tables import insert_schema
from migrations.upgrade import engine

STAFF, MEMBER = "shepherd", "goat"
# The callers in events/: their sessions have these ids, and tokens that nobody knows.
EVENT_SESSIONS = {MEMBER: 1, STAFF: 2}
RACERS = 100
PRIZES = {"1": Decimal(50), "2": Decimal(30), "3": Decimal(20)}

JSON = "-H 'Content-Type: application/json'"
TAKE_IT_OUT = "python3 -c 'import json, sys; print(json.load(sys.stdin)[\"token\"])'"
TO_TRY = """\
Demo accounts: {member} (a member) and {staff} (staff), with the passwords below. Try, in another terminal:

API={base}
TOKEN=$(curl -s $API/v1/sessions {json} \\
  -d '{{"login": "{member}", "password": "{member_password}"}}' | {take_it_out})
curl -sw "\\n" $API/v1/me -H "Authorization: Bearer $TOKEN"
curl -sw "\\n" $API/v1/wheel/spins -H "Authorization: Bearer $TOKEN" {json} \\
  -d '{{"client_seed": "lucky-goat"}}'
curl -sw "\\n" $API/v1/codes/claim -H "Authorization: Bearer $TOKEN" {json} \\
  -d '{{"code": "welcome goat"}}'
curl -sw "\\n" -X POST $API/v1/races/{race}/participants -H "Authorization: Bearer $TOKEN"
curl -sw "\\n" "$API/v1/races/{live_race}/leaderboard?limit=3"
curl -sw "\\n" $API/v1/tickets -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: $(date +%s)" {json} \\
  -d '{{"subject": "My reward", "description": "Where do I find it?"}}'
curl -sw "\\n" $API/v1/newsletter/subscriptions {json} -d '{{"email": "fan@example.com"}}'
NAME=kid$(date +%s)
curl -sw "\\n" $API/v1/accounts {json} \\
  -d '{{"username": "'$NAME'", "email": "'$NAME'@example.com", "password": "four dancing goats"}}'
STAFF=$(curl -s $API/v1/sessions {json} \\
  -d '{{"login": "{staff}", "password": "{staff_password}"}}' | {take_it_out})
curl -sw "\\n" $API/v1/admin/codes -H "Authorization: Bearer $STAFF" {json} \\
  -d '{{"value": "5.00", "expires_at": "{next_year}-01-01T00:00:00Z", "max_claims": 10}}'
"""


def load(url: str, base: str, folder: Path) -> str:
    """Add what is missing of the demo data, and return the lines to try.

    Parameters
    ----------
    url: of the database, to be entered as its owner.
    base: where the API is served.
    folder: where the passwords are kept.
    """
    now = datetime.now(UTC)
    known = _passwords(folder / "demo.json")
    with engine(url).begin() as connection:
        for name in (STAFF, MEMBER):
            _person(connection, name, known[name], now)
        staff = _staff(connection)
        for code, limit in (("WELCOME-GOAT", None), ("FIRST-TEN", 10)):
            _code(connection, staff, code, limit, now)
        live, upcoming = (_race(connection, staff, title, start, now) for title, start in _WINDOWS.items())
        _racers(connection, live, now)
    return TO_TRY.format(
        base=base,
        member=MEMBER,
        member_password=known[MEMBER],
        staff=STAFF,
        staff_password=known[STAFF],
        race=upcoming,
        live_race=live,
        next_year=now.year + 1,
        json=JSON,
        take_it_out=TAKE_IT_OUT,
    )


def _passwords(file: Path) -> dict[str, str]:
    """The demo accounts' passwords, made at the first start."""
    try:
        known: dict[str, str] = json.loads(file.read_text())
        return {name: known[name] for name in (STAFF, MEMBER)}
    except (OSError, ValueError, KeyError):
        made = {name: f"demo-{secrets.token_urlsafe(9)}" for name in (STAFF, MEMBER)}
        file.touch(mode=0o600)
        file.write_text(json.dumps(made))
        return made


def _person(connection: Connection, name: str, password: str, now: datetime) -> None:
    user_id = connection.scalar(select(users.c.id).where(users.c.username == name))
    if user_id is None:
        stored = passwords.hashed(password, legacy=False)
        user_id = registration.register(connection, name, f"{name}@example.com", stored, "127.0.0.1", now=now).id
    elif not passwords.matches(connection.scalar(select(users.c.password).where(users.c.id == user_id)), password):
        # The passwords' file was removed, the data was not.
        connection.execute(
            update(users).where(users.c.id == user_id).values(password=passwords.hashed(password, legacy=False))
        )
    able = {"email_verified": True, "is_admin": name == STAFF, "excluded_until": None, "excluded_permanently": False}
    connection.execute(update(users).where(users.c.id == user_id).values(able))
    row = {
        "id": EVENT_SESSIONS[name],
        "user_id": user_id,
        "token_hash": secrets.token_bytes(32),
        "created_at": now,
        "expires_at": now + timedelta(days=365),
    }
    session = upsert(sessions).values(_checked(sessions, [row]))
    connection.execute(
        session.on_conflict_do_update(
            index_elements=["id"], set_={"expires_at": session.excluded.expires_at, "ended_at": None}
        )
    )
    connection.execute(
        select(func.setval("sessions_id_seq", func.greatest(func.max(sessions.c.id), max(EVENT_SESSIONS.values()))))
    )


def _staff(connection: Connection) -> Caller:
    user_id = connection.execute(select(users.c.id).where(users.c.username == STAFF)).scalar_one()
    return Caller(user_id, EVENT_SESSIONS[STAFF], request_id="demo")


def _code(connection: Connection, staff: Caller, code: str, max_claims: int | None, now: datetime) -> None:
    if not connection.scalar(select(exists().where(bonus_codes.c.code == code))):
        expires_at = now + timedelta(days=365)
        issue.issue(
            connection, staff, issue.Terms(code, Decimal(5), "USD", None, expires_at, max_claims, None), now=now
        )


_WINDOWS = {"The week's race": timedelta(days=-2), "The next race": timedelta(days=5)}


def _race(connection: Connection, staff: Caller, title: str, start: timedelta, now: datetime) -> int:
    """The race by this title that is not over, announced anew when the last one is."""
    running = select(wager_races.c.id).where(wager_races.c.title == title, wager_races.c.end_date > now)
    race_id = connection.scalar(running.order_by(wager_races.c.id.desc()).limit(1))
    if race_id is not None:
        return int(race_id)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0) + start
    race = races.NewRace(title, "weekly", Decimal(1000), day, day + timedelta(days=7), Decimal(100), PRIZES)
    return races.create(connection, staff, race, now=now).id


def _racers(connection: Connection, race_id: int, now: datetime) -> None:
    """A hundred members who cannot log in, with their places; every tenth hides their name."""
    if connection.scalar(select(exists().where(wager_race_participants.c.race_id == race_id))):
        return
    names = [f"racer-{number:03}" for number in range(1, RACERS + 1)]
    new = [
        {
            "username": name,
            "username_key": name,
            "email": f"{name}@example.com",
            "email_key": f"{name}@example.com",
            "password": "",
            "hide_name": number % 10 == 0,
        }
        for number, name in enumerate(names, 1)
    ]
    connection.execute(upsert(users).values(_checked(users, new)).on_conflict_do_nothing())
    ids = connection.execute(select(users.c.id).where(users.c.username.in_(names)).order_by(users.c.username)).scalars()
    places = [
        {
            "race_id": race_id,
            "user_id": user_id,
            "member_key": user_id,
            "rank": rank,
            "total_wager": Decimal(100_000 - 900 * rank),
            "joined_at": now,
            "updated_at": now,
        }
        for rank, user_id in enumerate(ids, 1)
    ]
    connection.execute(insert(wager_race_participants), _checked(wager_race_participants, places))


def _checked(table: Table, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows to insert, held against what the table takes."""
    schema = insert_schema(table)
    return [schema.model_validate(row).values() for row in rows]
