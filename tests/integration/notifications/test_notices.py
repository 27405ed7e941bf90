"""Notifications queued where their effect is, and what their mail says: races, codes, reminders and tiers."""

import secrets
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.codes import expiring
from goatedvips.domain.notifications.kinds import KINDS
from goatedvips.domain.notifications.notices.texts import describe
from goatedvips.models.codes import bonus_codes
from goatedvips.models.notifications import notification_preferences, notifications, outbox, sender_state
from goatedvips.models.races import wager_races
from goatedvips.models.wheel import wheel_spins
from tests.integration.notifications.conftest import MOMENT, NONE, NOON, Message, Send, put, row
from tests.support.codes import Codes
from tests.support.functions import Functions
from tests.support.members import Member, Members
from tests.support.races import END, START, Races
from tests.support.rows import insert_row

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def fan(database: sa.Engine, members: Members, **columns: Any) -> Member:
    """A member who has consented to promotional offers."""
    member = members.new(seeds=False, **columns)
    insert_row(database, notification_preferences, user_id=member.id, promotional_consented_at=NOON)
    return member


def of(database: sa.Engine, member: Member, table: sa.Table = outbox) -> list[sa.Row[Any]]:
    with database.connect() as connection:
        return list(connection.execute(sa.select(table).where(table.c.user_id == member.id).order_by(table.c.id)))


def remind(database: sa.Engine, now: datetime) -> None:
    with database.begin() as connection:
        expiring.queue_reminders(connection, now=now)


def last_reminded(database: sa.Engine, at: datetime | None) -> None:
    with database.connect() as connection:
        connection.execute(sa.update(sender_state).values(expiry_noticed_until=at))


def test_participants_are_told_once_that_a_race_has_begun(
    database: sa.Engine, functions: Functions, members: Members, races: Races, send: Send, messages: list[Message]
) -> None:
    races.remove_all()
    race_id, joined, gone = races.new(title="June\nsprint"), members.new(seeds=False), members.new(seeds=False)
    races.enter(race_id, joined.id)
    races.enter(race_id, gone.id)
    with database.connect() as connection:
        connection.execute(
            sa.update(sa.table("users", sa.column("id"), sa.column("erased_at")))
            .where(sa.column("id") == gone.id)
            .values(erased_at=START)
        )
    for now in (START - MOMENT, START, START + HOUR, END):
        functions.invoke("advance_races", {"scheduled_time": "2026-11-24T14:39:00Z"}, now=now)
    (mail,) = of(database, joined)
    assert (mail.kind, mail.due_at, mail.expires_at) == ("race_started", START, END)
    assert [shown.kind for shown in of(database, joined, notifications)] == ["race_started"]
    assert of(database, gone) == []
    assert send(START)["sent"] == 1
    ((to, subject, text, _, _),) = messages
    assert (to, subject) == (joined.email, "June sprint has begun")
    assert text.split("\n")[0] == "It ends on 8 June 2026, 00:00 UTC. Good luck!"


@pytest.mark.parametrize(("columns", "now"), [({}, START + DAY), ({"cancelled_at": START}, START)])
def test_nobody_is_told_of_a_race_that_began_long_ago_or_is_cancelled(
    database: sa.Engine, functions: Functions, members: Members, races: Races, columns: dict[str, Any], now: datetime
) -> None:
    races.remove_all()
    race_id, member = races.new(**columns), members.new(seeds=False)
    races.enter(race_id, member.id)
    functions.invoke("advance_races", {"scheduled_time": "2026-11-24T14:39:00Z"}, now=now)
    assert of(database, member) == []


def test_a_race_that_was_cancelled_meanwhile_is_not_announced(
    database: sa.Engine, members: Members, races: Races, send: Send
) -> None:
    race_id, member = races.new(), members.new(seeds=False)
    payload = {"race_id": race_id, "title": "June", "end_date": "2026-06-08T00:00:00"}
    mail_id = put(database, "race_started", user_id=member.id, address=member.email, payload=payload)
    with database.connect() as connection:
        connection.execute(sa.update(wager_races).where(wager_races.c.id == race_id).values(cancelled_at=NOON))
    assert send() == NONE | {"dropped": 1}
    assert row(database, mail_id).dropped_reason == "no_longer_wanted"


def issue(functions: Functions, by: Member, **fields: object) -> dict[str, Any]:
    body = {"value": "5.00", "expires_at": "2026-06-01T00:00:00Z"} | fields
    headers = {"idempotency-key": secrets.token_hex(8)}
    answer = functions.call("issue_codes", by=by, body=body, now=NOON, headers=headers)
    assert answer.status == 201
    return dict(answer.json)


def test_the_owner_of_a_code_gets_it(
    database: sa.Engine, functions: Functions, members: Members, send: Send, messages: list[Message]
) -> None:
    member, staff = fan(database, members), members.staff()
    code = issue(functions, staff, user_id=member.id, starts_at="2026-05-02T00:00:00Z")
    issue(functions, staff)  # nobody's
    assert [shown.kind for shown in of(database, member, notifications)] == ["code_issued"]
    assert send() == NONE | {"sent": 1}
    ((to, subject, text, _, _),) = messages
    assert (to, subject) == (member.email, "You have a bonus code")
    assert text.split("\n")[0] == (
        f"We have given you a bonus code worth $5.00: {code['code']}."
        " You can claim it from 2 May 2026, 00:00 UTC until 1 June 2026, 00:00 UTC."
    )


def test_the_owner_of_a_batch_gets_one_notification(
    database: sa.Engine, functions: Functions, members: Members, send: Send, messages: list[Message]
) -> None:
    member = fan(database, members)
    batch = issue(functions, members.staff(), user_id=member.id, count=22)
    assert send() == NONE | {"sent": 1}
    ((_, subject, text, _, _),) = messages
    assert subject == "You have 22 bonus codes"
    with database.connect() as connection:
        codes = bonus_codes.c.batch_id == batch["batch_id"]
        listed = connection.scalars(sa.select(bonus_codes.c.code).where(codes)).all()
    assert sum(code in text for code in listed) == 20
    assert " and 2 more. You can claim them until " in text


def test_a_code_that_its_owner_has_claimed_is_not_sent(
    database: sa.Engine, members: Members, codes: Codes, send: Send
) -> None:
    member = fan(database, members)
    claimed, revoked = (
        codes.new(user_id=member.id, max_claims=1, **columns)
        for columns in ({"claims": 1, "is_used": True}, {"revoked_at": NOON})
    )
    terms = {"batch_id": None, "count": 1, "value": "5.00", "starts_at": None, "expires_at": "2026-06-01T00:00:00"}
    mails = [
        put(
            database,
            kind,
            user_id=member.id,
            address=member.email,
            payload={"code_id": code.id, "code": code.code, "codes": [code.code]} | terms,
        )
        for kind in ("code_issued", "win_expiring", "code_expiring")
        for code in (claimed, revoked)
    ]
    assert send() == NONE | {"dropped": 6}
    reasons = [row(database, mail_id).dropped_reason for mail_id in mails]
    assert reasons == ["claimed", "no_longer_wanted"] * 3


def test_codes_are_reminded_of_once_before_they_expire(database: sa.Engine, members: Members, codes: Codes) -> None:
    owner = fan(database, members)
    long, short = NOON - 10 * DAY, NOON - DAY
    spin = insert_row(database, wheel_spins, user_id=owner.id, segment_index=1)
    expected = {
        codes.new(user_id=owner.id, max_claims=1, **columns).code: (kind, lead)
        for columns, kind, lead in (
            ({"claimed_at": short, "expires_at": NOON + 5 * HOUR, "spin_id": spin}, "win_expiring", expiring.LEAD),
            ({"claimed_at": short, "expires_at": NOON + 5 * HOUR}, "code_expiring", expiring.LEAD),
            ({"claimed_at": long, "expires_at": NOON + 25 * HOUR}, "code_expiring", expiring.LONG_LEAD),
        )
    }
    expires = {"claimed_at": short, "expires_at": NOON + 5 * HOUR, "max_claims": 1}
    codes.new(**expires)  # nobody's
    codes.new(**expires, user_id=owner.id, claims=1)
    codes.new(**expires, user_id=owner.id, revoked_at=NOON)
    codes.new(**expires, user_id=owner.id, value=None)  # adopted
    last_reminded(database, NOON)
    found: dict[str, tuple[str, datetime]] = {}
    for step in range(1, 14):
        now = NOON + step * HOUR / 2
        remind(database, now)
        remind(database, now)
        for mail in of(database, owner):
            found.setdefault(mail.payload["code"], (mail.kind, mail.due_at))
            assert mail.expires_at is not None
    assert len(of(database, owner)) == len(of(database, owner, notifications)) == len(expected)
    assert found == {
        code: (kind, NOON + (5 if lead == expiring.LEAD else 25) * HOUR - lead)
        for code, (kind, lead) in expected.items()
    }


def test_the_first_run_reminds_of_what_expires_soon_and_a_late_one_of_nothing_that_has_expired(
    database: sa.Engine, members: Members, codes: Codes
) -> None:
    member = fan(database, members)
    for hours in (-1, 2, 4):
        codes.new(user_id=member.id, max_claims=1, claimed_at=NOON - DAY, expires_at=NOON + hours * HOUR)
    last_reminded(database, None)
    remind(database, NOON)
    assert [mail.expires_at for mail in of(database, member)] == [NOON + 2 * HOUR]
    remind(database, NOON + DAY)
    assert len(of(database, member)) == 1


def test_the_codes_of_a_batch_make_one_reminder(database: sa.Engine, members: Members, codes: Codes) -> None:
    member = fan(database, members)
    batch_id = codes.batch(3, user_id=member.id, claimed_at=NOON - DAY, expires_at=NOON + 4 * HOUR)
    last_reminded(database, NOON)
    remind(database, NOON + HOUR)
    (mail,) = of(database, member)
    assert (mail.payload["batch_id"], mail.payload["code_id"], mail.payload["count"]) == (batch_id, None, 3)
    assert describe(mail.kind, mail.payload).body.startswith("You can claim 3 of them until 1 May 2026, 16:00 UTC")


def test_advance_races_queues_the_reminders(
    database: sa.Engine, functions: Functions, members: Members, codes: Codes, send: Send, messages: list[Message]
) -> None:
    member = members.new(seeds=False)
    spin = insert_row(database, wheel_spins, user_id=member.id, segment_index=1)
    now = NOON + 2 * HOUR
    code = codes.new(
        user_id=member.id, max_claims=1, spin_id=spin, claimed_at=NOON - DAY, expires_at=now + expiring.LEAD
    )
    last_reminded(database, now - MOMENT)
    functions.invoke("advance_races", {"scheduled_time": "2026-11-24T14:39:00Z"}, now=now)
    send(now)
    ((subject, text),) = [(subject, text) for to, subject, text, _, _ in messages if to == member.email]
    assert subject == "Claim what you have won"
    assert text.split("\n")[0] == f"Claim {code.code} until 1 May 2026, 17:00 UTC. Then it expires."


PAYLOADS: dict[str, list[dict[str, Any]]] = {
    "link_decided": [{"uid": "u\n1", "decision": decision, "reason": "No\tr"} for decision in ("approved", "refused")],
    "link_ended": [{"uid": "u1", "reason": "r"}],
    "ticket_reply": [{"ticket_id": 7, "message_id": 8, "subject": "Where\r\nis it?"}],
    "race_started": [{"race_id": 1, "title": "June", "end_date": "infinity"}],
    "race_result": [
        {"race_id": 1, "title": "June", "rank": 1200, "prize": "1250.50"},
        {"race_id": 1, "title": "June", "rank": None, "prize": None},
    ],
    "tier_reached": [{"tier": "Gold", "reward": reward} for reward in ("25.00", "0", None)],
    "code_issued": [
        {"code_id": 1, "batch_id": None, "count": 1, "codes": ["A-1"], "value": "25.00", "starts_at": None,
         "expires_at": "2026-06-01T00:00:00"},
    ],
    "win_expiring": [{"code_id": 1, "batch_id": None, "count": 1, "code": "A-1", "expires_at": "2026-06-01T00:00:00"}],
    "code_expiring": [{"code_id": 1, "batch_id": None, "count": 1, "code": "A-1", "expires_at": "2026-06-01T00:00:00"}],
    "statement_written": [{"month": "2026-10-01"}],
}  # fmt: skip


@pytest.mark.parametrize("kind", PAYLOADS)
def test_a_notice_is_plain_lines_and_its_teaser_has_no_amount(kind: str) -> None:
    for payload in PAYLOADS[kind]:
        notice = describe(kind, payload)
        assert notice.title.isprintable()
        assert notice.body.isprintable()
        assert notice.teaser
        assert "$" not in notice.teaser + notice.title
        assert "A-1" not in notice.teaser + notice.title


def test_each_kind_for_members_but_a_campaign_has_a_notice() -> None:
    assert PAYLOADS.keys() == {name for name, kind in KINDS.items() if kind.has_inbox} - {"campaign"}
