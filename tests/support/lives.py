"""A member with personal data in every table, for the tests of export and erasure."""

import hashlib
import secrets
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from goatedvips.domain.accounts import passwords
from goatedvips.models.every import (
    accounts,
    codes,
    newsletter,
    notifications,
    operations,
    races,
    rewards,
    tickets,
    wagers,
    wheel,
)
from tests.support.ledger import payout
from tests.support.members import Member, Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=365)
FIRST_VERSION = 1  # of the wheel, which the migrations made
PASSWORD = "goats like long walks"
STORED = passwords.hash_password(PASSWORD, legacy=False)


@dataclass(frozen=True)
class Life:
    """A member, their personal texts, and the ids of their rows by table."""

    database: sa.Engine
    member: Member
    uid: str
    words: str
    """Part of every text that the member wrote or received."""
    rows: dict[sa.Table, list[int]] = field(default_factory=lambda: defaultdict(list))

    @property
    def home(self) -> str:
        """The words without dashes: no identifier of the member contains them."""
        return self.words.replace("-", " ")

    @property
    def personal(self) -> list[str]:
        """The texts that an erasure must remove from the whole database."""
        name = self.member.username
        return [name, name.replace("-", ""), self.member.email, self.uid, self.words, self.home]

    def add(self, table: sa.Table, *, of_member: bool = True, **columns: Any) -> int:
        """Insert a row and return the first column of its key; note it in `rows` if it is the member's."""
        key, *_ = table.primary_key
        with self.database.connect() as connection:
            row_id = int(connection.execute(sa.insert(table).values(columns).returning(key)).scalar_one())
        if of_member:
            self.rows[table].append(row_id)
        return row_id


def live(database: sa.Engine, members: Members, **columns: Any) -> Life:
    """Make a member with at least one row in every table that can have one.

    Parameters
    ----------
    columns: values for the member's row of `users`.
    """
    tail = secrets.token_hex(6)
    name, email, uid = f"Nanny-{tail}", f"Nanny.{tail}+vip@Example.com", f"uid-{tail}"
    words = f"at-12-Goat-Lane-{tail}"
    given: dict[str, Any] = {
        "username": name,
        "username_key": name.lower(),
        "email": email,
        "email_key": email.lower(),
        "password": STORED,
        "uid": uid,
        "bio": f"I am {name}, and live {words}",
        "profile_color": "#123456",
        "total_wager": Decimal(100),
        "verified": True,
        "suspended_reason": f"Was rude {words}",
    }
    life = Life(database, members.new(**(given | columns)), uid, words)
    life.rows[accounts.users].append(life.member.id)
    life.rows[accounts.sessions].append(life.member.session_id)
    _account(life)
    _play(life)
    _race(life)
    _talk(life, members.staff())
    return life


def _account(life: Life) -> None:
    me, email = life.member.id, life.member.email
    mailed: dict[str, Any] = {"created_at": NOON, "expires_at": LATER}
    for purpose, address, owner in (
        ("email_verification", email, me),
        ("email_change", f"new-{life.words}@example.com", me),
        ("newsletter_confirmation", email.upper(), None),
    ):
        token = hashlib.sha256(secrets.token_bytes()).digest()
        life.add(accounts.mailed_tokens, purpose=purpose, token_hash=token, address=address, user_id=owner, **mailed)
    for kind in ("log_in", "claim"):
        life.add(accounts.attempts, kind=kind, subject=str(me), address="203.0.113.7", attempted_at=NOON)
    life.add(
        newsletter.newsletter_subscriptions,
        email=email.swapcase(),
        source=f"footer of {life.member.username}",
        consent_address="203.0.113.7",
    )
    life.add(
        notifications.outbox,
        kind="verification",
        user_id=me,
        address=email,
        payload={"note": life.words},
        created_at=NOON,
        due_at=NOON,
    )
    life.add(
        notifications.outbox,
        kind="newsletter_confirmation",
        address=email.lower(),
        created_at=NOON,
        due_at=NOON,
        sent_at=NOON,
        last_error=f"{email} is away",
    )
    life.add(notifications.mail_blocks, email_key=email.lower(), bounced_at=NOON)
    life.add(
        notifications.notification_preferences,
        user_id=me,
        quiet_from=time(22),
        quiet_to=time(7, 30),
        time_zone="Europe/Berlin",
        promotional_consented_at=NOON,
    )
    life.add(
        notifications.notifications,
        user_id=me,
        kind="link_ended",
        payload={"uid": life.uid, "reason": life.words},
        created_at=NOON,
        due_at=NOON,
    )
    subscription = life.add(
        notifications.push_subscriptions,
        user_id=me,
        endpoint=f"https://push.example/{life.words}",
        p256dh=life.words,
        auth=life.words,
        created_at=NOON,
    )
    life.add(
        notifications.outbox,
        kind="link_ended",
        channel="push",
        user_id=me,
        push_subscription_id=subscription,
        payload={"uid": life.uid, "reason": life.words},
        created_at=NOON,
        due_at=NOON,
    )
    life.add(
        operations.idempotency_records,
        user_id=me,
        request_hash=b"1",
        key=life.words,
        body_hash=b"2",
        created_at=NOON,
        status=201,
        answer=f'{{"subject": "{life.words}"}}',
    )
    life.add(
        accounts.erased_identities,
        identity=secrets.token_bytes(32),
        erased_at=NOON,
        excluded_until=NOON,
        given_up_by=me,
    )
    counts: dict[str, Any] = {"entry_count": 1, "bad_count": 0, "uid_count": 1, "missing_count": 0, "is_whole": True}
    feed = life.add(
        wagers.feeds,
        key=secrets.token_hex(8),
        requested_at=NOON,
        ingested_at=NOON,
        sha256="",
        accepted_by=me,
        **counts,
    )
    account = life.add(
        wagers.wager_accounts,
        uid=life.uid,
        user_id=me,
        name=f"Casino {life.member.username}",
        total_wager=100,
        wager_today=1,
        wager_week=2,
        wager_month=3,
        read_at=NOON,
    )
    life.add(wagers.wager_readings, account_id=account, requested_at=NOON, feed_id=feed, total=100)
    with life.database.connect() as connection:  # a trigger wrote it
        reached = sa.select(wagers.member_tiers.c.id).where(wagers.member_tiers.c.user_id == me)
        life.rows[wagers.member_tiers] += connection.scalars(reached)
    life.rows[wagers.unread_members].append(me)  # the trigger wrote it, because the member had the uid first
    with life.database.connect() as connection:
        periods = sa.select(wagers.link_periods.c.id).where(wagers.link_periods.c.user_id == me)
        life.rows[wagers.link_periods] += connection.scalars(periods)
    races_of_month = [{"race_id": 1, "title": "Weekly", "rank": 1, "prize": "5.00"}]
    counted: dict[str, Any] = {"wagered": 100, "spins": 2, "claims": 1, "rewards": 100, "races": races_of_month}
    life.add(wagers.statements, user_id=me, month=NOON.replace(day=1, hour=0), created_at=NOON, tier="Gold", **counted)
    fall: dict[str, Any] = {"from_total": 100, "to_total": 90, "accepted_at": NOON, "accepted_by": me}
    life.add(wagers.accepted_falls, account_id=account, feed_id=feed, **fall)


def _play(life: Life) -> None:
    me, name = life.member.id, life.member.username
    with life.database.connect() as connection:
        seeds = sa.select(wheel.wheel_seeds).where(wheel.wheel_seeds.c.user_id == me)
        life.rows[wheel.wheel_seeds] += [row.id for row in connection.execute(seeds)]
    seed = life.add(
        wheel.wheel_seeds,
        user_id=me,
        server_seed=secrets.token_bytes(32),
        client_seed=life.words,
        chosen_client_seed=life.words,
        created_at=NOON,
        activated_at=NOON,
        revealed_at=NOON,
    )
    life.rows[wheel.wheel_versions].append(FIRST_VERSION)
    spins = [
        life.add(
            wheel.wheel_spins,
            user_id=me,
            segment_index=1,
            reward_code=f"{name}-50",
            timestamp=NOON,
            spin_day=NOON.date(),
            version_id=FIRST_VERSION,
            seed_id=seed,
            nonce=0,
            client_seed=life.words,
        ),
        life.add(wheel.wheel_spins, user_id=me, segment_index=2, timestamp=NOON, client_seed=str(me)),
    ]
    batch = life.add(codes.code_batches, user_id=me, size=1, created_at=NOON)
    code = life.add(
        codes.bonus_codes,
        code=f"birthday of {name}",
        user_id=me,
        expires_at=LATER,
        value=5,
        spin_id=spins[0],
        batch_id=batch,
    )
    life.add(codes.code_claims, code_id=code, user_id=me, claimed_at=NOON)
    life.add(rewards.rewards, user_id=me, source_type="spin", source_id=spins[0], amount=50, created_at=NOON)
    grant = life.add(rewards.reward_grants, user_id=me, amount=50, created_at=NOON, created_by=me)
    reward = life.add(rewards.rewards, user_id=me, source_type="grant", source_id=grant, amount=50, created_at=NOON)
    life.rows[rewards.payouts].append(
        payout(life.database, me, "50", reward, uid=life.uid, reference=f"paid to {life.uid}")
    )


def _race(life: Life) -> None:
    me, name, email, uid = life.member.id, life.member.username, life.member.email, life.uid
    terms: dict[str, Any] = {
        "type": "weekly",
        "status": "completed",
        "prize_pool": 1,
        "min_wager": 0,
        "prize_distribution": {"1": 50},
    }
    dates: dict[str, Any] = {"start_date": NOON, "end_date": LATER}
    race = life.add(races.wager_races, title="Weekly", created_by=me, rules=f"Ask {email.lower()}.", **dates, **terms)
    terms = {"html": "<p>Hello</p>", "plain_text": f"Write to {email}", "created_at": NOON, "updated_at": NOON}
    life.add(newsletter.campaigns, audience="members", subject=f"From {email}", body=email, created_by=me, **terms)
    history = [{"at": "2026-05-01T12:00:00Z", "total": 12.5, "by": name, "user": {"name": f"Ann {life.home}"}}]
    life.add(races.wager_race_participants, race_id=race, user_id=me, total_wager=5, rank=1, wager_history=history)
    life.add(
        races.historical_races,
        month="May",
        year="2026",
        prize_pool=1,
        total_wagered=1,
        participant_count="5",
        metadata={"title": "May", "winner": name.upper()},
        participants=[
            {"userId": me, "username": f"Ann {life.home}", "rank": 1, "total": "12.50"},
            {"name": name.lower(), "wagered": 7},
            {"uid": uid, "name": f"Casino {life.home}", "rank": 3},
            {"email": email.upper(), "rank": 4},
            {"userId": me + 1_000_000, "username": "Other", "note": "not me"},
        ],
        **dates,
    )


def _talk(life: Life, staff: Member) -> None:
    me, name, email, words = life.member.id, life.member.username, life.member.email, life.words
    own = life.add(
        tickets.support_tickets, user_id=me, subject=f"Help {name}", description=f"I live {words}", assignee_id=staff.id
    )
    assigned: dict[str, Any] = {"user_id": staff.id, "assignee_id": me}
    life.add(tickets.support_tickets, subject="Theirs", description="Not mine.", **assigned)
    others = life.add(tickets.support_tickets, of_member=False, user_id=staff.id, subject="Mine", description="Alone.")
    for ticket, author, text, by_staff in (
        (own, me, f"{words}!", False),
        (own, staff.id, f"Dear {name}, still {words}?", True),
        (others, me, f"I wrote this {words}", False),
        (others, me, f"As staff: mail {email}", True),
    ):
        life.add(tickets.ticket_messages, ticket_id=ticket, user_id=author, message=text, is_staff_reply=by_staff)
    life.add(  # an internal note, which members cannot see
        tickets.ticket_messages,
        of_member=False,
        ticket_id=own,
        user_id=staff.id,
        message=f"Rude again, {words}",
        is_staff_reply=True,
        is_internal=True,
    )
    decided: dict[str, Any] = {"decision": "refused", "decided_at": NOON, "decided_by": staff.id}
    link = life.add(
        accounts.account_links, user_id=me, uid=life.uid, requested_at=NOON, reason=f"Not {name}", **decided
    )
    life.add(accounts.account_links, user_id=me, uid=life.uid.upper(), requested_at=NOON)
    life.add(
        accounts.account_links,
        user_id=staff.id,
        uid=f"other-{secrets.token_hex(6)}",
        requested_at=NOON,
        decision="approved",
        reason=f"Seen by {email}",
        decided_by=me,
    )
    (code,) = life.rows[codes.bonus_codes]
    (batch,) = life.rows[codes.code_batches]
    for action, staff_id, subject, after in (
        ("update_member", staff.id, me, {"suspended": True, "reason": f"{name} was rude"}),
        ("decide_link", staff.id, link, {"uid": life.uid, "decision": "refused"}),
        ("issue_code", staff.id, code, {"code": f"birthday of {name}", "value": 5}),
        ("issue_batch", staff.id, batch, {"user_id": me, "currency": f"for {name}"}),
        ("update_member", me, staff.id, {"reason": f"Asked by {email}"}),
    ):
        life.add(
            operations.audit_log,
            staff_id=staff_id,
            action=action,
            subject_id=subject,
            before={"reason": f"Before: {name}"} if subject == me else None,
            after=after,
            request_id="r",
            created_at=NOON,
        )
