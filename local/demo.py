"""Demo data for `make run`: staff, members, codes and races, and curl lines that try the API with them."""

import secrets
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Table, exists, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain.access import Caller
from goatedvips.domain.accounts import passwords, registration
from goatedvips.domain.codes import issue
from goatedvips.domain.newsletter import campaign_changes
from goatedvips.domain.races import changes
from goatedvips.domain.rewards import grants, payments, payouts
from goatedvips.domain.tickets import tickets
from goatedvips.models.accounts import sessions, users
from goatedvips.models.newsletter import newsletter_subscriptions
from goatedvips.models.races import wager_race_participants, wager_races
from goatedvips.validators.tables import insert_schema
from migrations.upgrade import engine

STAFF, MEMBER = "shepherd", "lucky_goat"
PASSWORD = "a long enough password"  # noqa: S105  only the local database knows it
"""The password of both accounts, in the local database only. The sample event of log_in, which is also in the OpenAPI
document, has this password and the member's name."""
SESSION_IDS = {MEMBER: 1, STAFF: 2}
"""The sessions of the callers in events/. Their tokens are random and stored nowhere."""
SESSION_LIFETIME = timedelta(days=365)
SUBSCRIBERS = [f"reader-{number}" for number in range(1, 6)]
"""The local parts of the e-mail addresses that subscribe the newsletter."""
REFERENCE = "TX-20261201-0001"
"""The payment of the demo's payout, as the sample event of reference_payout has it."""
RACERS = 100
RACER_NAMES = [f"racer-{number:03}" for number in range(1, RACERS + 1)]
CASINO_ACCOUNTS = [(f"demo-{name}", name) for name in (MEMBER, *RACER_NAMES)]
"""Uid and name of the members' accounts at the casino, which are linked to them."""
WEEK = timedelta(days=7)
PRIZES = {"1": Decimal(50), "2": Decimal(30), "3": Decimal(20)}
RACES = {"The week's race": timedelta(days=-2), "The next race": timedelta(days=5)}
"""The start of each race of a week by title, relative to the midnight (UTC) before the demo announces it."""
MONTH_RACE = "The month's race"
"""The title of the race from the 1st of the month to the next one. `make clock` knows its end by name."""

JSON = "-H 'Content-Type: application/json'"
EXTRACT = "python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])'"
CHANGED = """\
A demo account was changed since it was created, so the password below may fail: `make db-reset` creates new accounts.
"""
TO_TRY = """\
Demo accounts: {member} (a member) and {staff} (staff), both with the password "{password}".
{changed}{member} takes part in the month's race, which ends on {end}. To see now how it is settled and archived, how
each member gets a statement of the month, and how the leaderboards go on:

make clock TO=settlement
curl -sw "\\n" "{base}/v1/races/history?limit=1"
curl -sw "\\n" "{base}/v1/leaderboards/all_time?limit=3"

On the way {member} passes the tier Lucky Goat, whose reward GET /v1/me/rewards then shows, and gets mail.

Try, in another terminal:

API={base}
TOKEN=$(curl -s $API/v1/sessions {json} \\
  -d '{{"login": "{member}", "password": "{password}"}}' | {extract} token)
curl -sw "\\n" $API/v1/me -H "Authorization: Bearer $TOKEN"
curl -sw "\\n" $API/v1/tiers
curl -sw "\\n" $API/v1/me/rewards -H "Authorization: Bearer $TOKEN"
curl -sw "\\n" $API/v1/wheel/spins -H "Authorization: Bearer $TOKEN" {json} \\
  -d '{{"client_seed": "lucky-goat"}}'
curl -sw "\\n" $API/v1/codes/claim -H "Authorization: Bearer $TOKEN" {json} \\
  -d '{{"code": "welcome goat"}}'
curl -sw "\\n" -X POST $API/v1/races/{race}/participants -H "Authorization: Bearer $TOKEN"
curl -sw "\\n" "$API/v1/races/{live_race}/leaderboard?limit=3"
curl -sw "\\n" "$API/v1/leaderboards/month?limit=3"
curl -sw "\\n" $API/v1/me/statements -H "Authorization: Bearer $TOKEN"
curl -sw "\\n" $API/v1/tickets -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: $(date +%s)" {json} \\
  -d '{{"subject": "My reward", "description": "Where do I find it?"}}'
curl -sw "\\n" $API/v1/newsletter/subscriptions {json} -d '{{"email": "fan@example.com"}}'
NAME=kid$(date +%s)
curl -sw "\\n" $API/v1/accounts {json} \\
  -d '{{"username": "'$NAME'", "email": "'$NAME'@example.com", "password": "four dancing goats"}}'
STAFF=$(curl -s $API/v1/sessions {json} \\
  -d '{{"login": "{staff}", "password": "{password}"}}' | {extract} token)
curl -sw "\\n" $API/v1/admin/codes -H "Authorization: Bearer $STAFF" -H "Idempotency-Key: $(date +%s)" {json} \\
  -d '{{"value": "5.00", "expires_at": "{next_year}-01-01T00:00:00Z", "max_claims": 10}}'
NEWS=$(curl -s $API/v1/admin/campaigns -H "Authorization: Bearer $STAFF" {json} \\
  -d '{{"audience": "newsletter", "subject": "News", "body": "Hello **goats**"}}')
CAMPAIGN=$API/v1/admin/campaigns/$(echo "$NEWS" | {extract} id)
curl -sw "\\n" -X PATCH $CAMPAIGN -H "Authorization: Bearer $STAFF" {json} \\
  -d '{{"status": "scheduled", "send_at": "'$(echo "$NEWS" | {extract} created_at)'"}}'
curl -sw "\\n" $CAMPAIGN -H "Authorization: Bearer $STAFF"
curl -sw "\\n" $API/v1/admin/payouts -H "Authorization: Bearer $STAFF" {json} -d '{{}}'
curl -sw "\\n" "$API/v1/admin/payouts?format=csv" -H "Authorization: Bearer $STAFF"
"""


def load(url: str, base: str, now: datetime | None = None) -> str:
    """Load the demo data into an empty database, renew what expires, and return the lines to try.

    Existing accounts and codes are never overwritten. For each race that has ended, a new one is announced.

    Parameters
    ----------
    url: the URL of the database, with the login of its owner.
    base: the URL of the API.
    now: the present instant by the platform's clock; without it the real one.
    """
    now = now or datetime.now(UTC)
    with engine(url).begin() as connection:
        is_empty = not connection.scalar(select(exists().select_from(users)))
        if is_empty:
            for name in (STAFF, MEMBER):
                _make_account(connection, name, now)
        for name, session_id in SESSION_IDS.items():
            _renew_session(connection, name, session_id, now)
        staff = staff_caller(connection)
        if is_empty and staff:
            for code, limit in (("WELCOME-GOAT", None), ("FIRST-TEN", 10)):
                _issue_code(connection, staff, code, limit, now)
            _grant_rewards(connection, staff, now)
            _open_ticket(connection, now)
            _write_campaign(connection, staff, now)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        live, upcoming = (
            _announce_race(connection, staff, title, "weekly", midnight + start, midnight + start + WEEK, now)
            for title, start in RACES.items()
        )
        first = midnight.replace(day=1)
        next_first = (first + timedelta(days=31)).replace(day=1)
        month = _announce_race(connection, staff, MONTH_RACE, "monthly", first, next_first, now)
        for race_id, names in ((live, RACER_NAMES), (month, [MEMBER, *RACER_NAMES])):
            if race_id:
                _enter_racers(connection, race_id, names, now)
        is_changed = not all(_has_first_password(connection, name) for name in (STAFF, MEMBER))
    return TO_TRY.format(
        base=base,
        member=MEMBER,
        staff=STAFF,
        password=PASSWORD,
        changed=CHANGED if is_changed else "",
        race=upcoming,
        live_race=live,
        next_year=now.year + 1,
        end=f"{next_first:%Y-%m-%d}",
        json=JSON,
        extract=EXTRACT,
    )


def _make_account(connection: Connection, name: str, now: datetime) -> None:
    stored, is_linked = passwords.hash_password(PASSWORD, legacy=False), name == MEMBER
    user_id = registration.register(connection, name, f"{name}@example.com", stored, "127.0.0.1", now=now).id
    connection.execute(
        update(users)
        .where(users.c.id == user_id)
        .values(
            email_verified=True, is_admin=name == STAFF, uid=f"demo-{name}" if is_linked else None, verified=is_linked
        )
    )


def _renew_session(connection: Connection, name: str, session_id: int, now: datetime) -> None:
    """Keep the session of a sample's caller alive, with a random token that is stored nowhere."""
    user_id = connection.scalar(select(users.c.id).where(users.c.username == name))
    if user_id is None:  # renamed or erased
        return
    row = {
        "id": session_id,
        "user_id": user_id,
        "token_hash": secrets.token_bytes(32),
        "created_at": now,
        "expires_at": now + SESSION_LIFETIME,
    }
    session = upsert(sessions).values(_validated(sessions, [row]))
    connection.execute(
        session.on_conflict_do_update(
            index_elements=["id"], set_={"expires_at": session.excluded.expires_at, "ended_at": None}
        )
    )
    connection.execute(
        select(func.setval("sessions_id_seq", func.greatest(func.max(sessions.c.id), max(SESSION_IDS.values()))))
    )


def _has_first_password(connection: Connection, name: str) -> bool:
    stored = connection.scalar(select(users.c.password).where(users.c.username == name))
    return stored is not None and passwords.matches(stored, PASSWORD)


def staff_caller(connection: Connection) -> Caller | None:
    """Return the demo's staff member; None if the account is no longer staff, or suspended."""
    wanted = select(users.c.id).where(users.c.username == STAFF, users.c.is_admin, users.c.suspended_at.is_(None))
    user_id = connection.scalar(wanted)
    return None if user_id is None else Caller(user_id, SESSION_IDS[STAFF], request_id="demo")


def _issue_code(connection: Connection, staff: Caller, code: str, max_claims: int | None, now: datetime) -> None:
    terms = issue.Terms(code, Decimal(5), "USD", None, now + timedelta(days=365), max_claims, None)
    issue.issue(connection, staff, terms, now=now)


def _grant_rewards(connection: Connection, staff: Caller, now: datetime) -> None:
    """Grant the member two rewards: the first is paid out, with the reference of a sample event; the other is open."""
    member_id = connection.execute(select(users.c.id).where(users.c.username == MEMBER)).scalar_one()
    grants.grant(connection, staff, member_id, Decimal(25), "Won the Sunday quiz.", now=now)
    batch = payouts.create(connection, staff, before=None, min_amount=None, user_ids=[member_id], now=now)
    if batch.batch_id is not None:
        payments.set_reference(connection, staff, batch.batch_id, REFERENCE, now=now)
    grants.grant(connection, staff, member_id, Decimal("7.50"), "Found a bug.", now=now)


def _open_ticket(connection: Connection, now: datetime) -> None:
    """Open the member's ticket, the one that the sample event of triage_ticket is about."""
    member_id = connection.execute(select(users.c.id).where(users.c.username == MEMBER)).scalar_one()
    member = Caller(member_id, SESSION_IDS[MEMBER], request_id="demo")
    text = "The wheel gave me a code, and I do not see how to claim it."
    tickets.open_ticket(
        connection, member, subject="How do I claim a code?", description=text, priority="medium", now=now
    )


def _write_campaign(connection: Connection, staff: Caller, now: datetime) -> None:
    """Draft a campaign, the one that the sample events are about, and subscribe those who get it."""
    text = "# Hello\n\nThe next race begins on **Monday**. [See the races](https://goatedvips.gg/races)."
    content = {"audience": "newsletter", "subject": "The week at GoatedVIPs", "body": text}
    absent = {"tiers": None, "send_at": None, "per_day": None}
    campaign_changes.create(connection, staff, content | absent, now=now)
    schema = insert_schema(newsletter_subscriptions)
    for name in SUBSCRIBERS:
        email = f"{name}@example.com"
        row = {"email": email, "email_key": email, "is_subscribed": True, "subscribed_at": now, "confirmed_at": now}
        connection.execute(insert(newsletter_subscriptions).values(schema.model_validate(row).values()))


def _announce_race(
    connection: Connection,
    staff: Caller | None,
    title: str,
    kind: str,
    start: datetime,
    end: datetime,
    now: datetime,
) -> int:
    """Return the id of the newest race of this title; announce one if it is over and there are staff to do it."""
    titled = select(wager_races.c.id).where(wager_races.c.title == title).order_by(wager_races.c.id.desc()).limit(1)
    open_race = titled.where(wager_races.c.end_date > now, wager_races.c.cancelled_at.is_(None))
    race_id = connection.scalar(open_race if staff else titled)
    if staff is None or race_id is not None:
        return int(race_id or 0)
    race = changes.NewRace(title, kind, Decimal(1000), start, end, Decimal(100), PRIZES)
    return changes.create(connection, staff, race, now=now).id


def _enter_racers(connection: Connection, race_id: int, names: list[str], now: datetime) -> None:
    """Enter members in a race, a hundred of whom cannot log in. Every tenth of these hides their name."""
    if connection.scalar(select(exists().where(wager_race_participants.c.race_id == race_id))):
        return
    new = [
        {
            "username": name,
            "username_key": name,
            "email": f"{name}@example.com",
            "email_key": f"{name}@example.com",
            "password": "",
            "hide_name": number % 10 == 0,
            "created_at": now,
            "uid": f"demo-{name}",
            "verified": True,
        }
        for number, name in enumerate(RACER_NAMES, 1)
    ]
    connection.execute(upsert(users).values(_validated(users, new)).on_conflict_do_nothing())
    ids = connection.execute(select(users.c.id).where(users.c.username.in_(names)).order_by(users.c.username)).scalars()
    entries = [
        {
            "race_id": race_id,
            "user_id": user_id,
            "member_key": user_id,
            "total_wager": Decimal(0),
            "joined_at": now,
            "updated_at": now,
        }
        for user_id in ids
    ]
    connection.execute(insert(wager_race_participants), _validated(wager_race_participants, entries))


def _validated(table: Table, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows to insert, validated by the table's schema."""
    schema = insert_schema(table)
    return [schema.model_validate(row).values() for row in rows]
