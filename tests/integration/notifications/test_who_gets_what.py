"""Who gets what: every kind, by mail, by push and in the inbox, in every state of the recipient.

The expected values are written down here, and not imported: a kind that is missing here fails the tests.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import product
from typing import Any, Literal

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.domain import erased_identities
from goatedvips.domain.notifications.deciding import (
    Channel,
    Defer,
    Drop,
    Recipient,
    decide,
    read_recipient,
    recipient_of_push,
)
from goatedvips.domain.notifications.kinds import KINDS, PREFERENCES
from goatedvips.domain.notifications.outbox import queued
from goatedvips.domain.notifications.preferences.quiet_hours import QuietHours
from goatedvips.domain.notifications.pushes import leases
from goatedvips.models.accounts import erased_identities as remembered
from goatedvips.models.accounts import users
from goatedvips.models.newsletter import newsletter_subscriptions
from goatedvips.models.notifications import (
    mail_blocks,
    notification_preferences,
    notifications,
    outbox,
    push_subscriptions,
)
from tests.support.campaigns import Campaigns
from tests.support.members import Member, Members
from tests.support.rows import insert_row

type Block = Literal["bounced", "complained"]

NIGHT = datetime(2026, 5, 1, 23, 30, tzinfo=UTC)
MORNING = datetime(2026, 5, 2, 7, tzinfo=UTC)
QUIET = QuietHours(time(22), time(7), "UTC")
HOUR = timedelta(hours=1)

# What a kind obeys: the switch and the channel, and whether it also goes by push and to the inbox.
# Then its mail: to an address that is not verified, while the member is excluded, after a hard bounce, after a
# complaint, and in the quiet hours. `once`: once in 24 hours.
TABLE = """
kind                    | switch             | channel | push and inbox | unverified | excluded | bounced | complained | quiet
verification            | none               | no      | no             | sent       | sent     | once    | sent       | sent
password_reset          | none               | no      | no             | sent       | sent     | once    | sent       | sent
email_change            | none               | no      | no             | sent       | sent     | once    | sent       | sent
email_changed           | none               | no      | no             | sent       | sent     | once    | sent       | sent
ticket_reply            | none               | yes     | yes            | no         | sent     | no      | no         | later
link_decided            | none               | yes     | yes            | no         | sent     | no      | no         | later
link_ended              | none               | yes     | yes            | no         | sent     | no      | no         | later
win_expiring            | none               | yes     | yes            | no         | sent     | no      | no         | later
newsletter_confirmation | none               | no      | no             | sent       | sent     | no      | no         | sent
ticket_opened           | none               | no      | no             | sent       | sent     | no      | no         | sent
campaign_paused         | none               | no      | no             | sent       | sent     | no      | no         | sent
campaign_test           | none               | no      | no             | sent       | sent     | no      | no         | sent
race_started            | wager_race_updates | yes     | yes            | no         | no       | no      | no         | later
race_result             | wager_race_updates | yes     | yes            | no         | no       | no      | no         | later
tier_reached            | vip_status_changes | yes     | yes            | no         | no       | no      | no         | later
code_issued             | promotional_offers | yes     | yes            | no         | no       | no      | no         | later
code_expiring           | promotional_offers | yes     | yes            | no         | no       | no      | no         | later
campaign                | promotional_offers | yes     | yes            | no         | no       | no      | no         | later
statement_written       | monthly_statements | yes     | yes            | no         | sent     | no      | no         | later
newsletter              | subscription       | yes     | no             | sent       | no       | no      | no         | later
"""  # noqa: E501

# Each boolean of `notification_preferences`, and the notifications that it governs.
GOVERNED = {
    "wager_race_updates": {"race_started", "race_result"},
    "vip_status_changes": {"tier_reached"},
    "promotional_offers": {"code_issued", "code_expiring", "campaign"},
    "monthly_statements": {"statement_written"},
    "email_notifications": {
        "ticket_reply",
        "link_decided",
        "link_ended",
        "win_expiring",
        "race_started",
        "race_result",
        "tier_reached",
        "code_issued",
        "code_expiring",
        "campaign",
        "statement_written",
        "newsletter",
    },
    "push_notifications": {
        "ticket_reply",
        "link_decided",
        "link_ended",
        "win_expiring",
        "race_started",
        "race_result",
        "tier_reached",
        "code_issued",
        "code_expiring",
        "campaign",
        "statement_written",
    },
}


def rows_of(table: str) -> dict[str, dict[str, str]]:
    head, *lines = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
    return {line[0]: dict(zip(head, line, strict=True)) for line in lines}


ROWS = rows_of(TABLE)


@dataclass(frozen=True)
class State:
    """One combination of what decides."""

    off: frozenset[str] = frozenset()  # switches of the table
    channel: bool = True
    verified: bool = True
    excluded: bool = False
    block: Block | None = None
    tried: bool = False  # critical mail to the address, within 24 hours
    quiet: bool = False

    @property
    def circumstances(self) -> Iterator[str]:
        """The columns of the table that concern it."""
        yield from (["unverified"] if not self.verified else [])
        yield from (["excluded"] if self.excluded else [])
        yield from ([self.block] if self.block else [])


def expected(kind: str, channel: str, state: State) -> str:
    """Return `sent`, `later` or `no`, from the table."""
    row = ROWS[kind]
    if channel == "push" and row["push and inbox"] == "no":
        return "no"
    if row["switch"] in state.off or (row["channel"] == "yes" and not state.channel):
        return "no"
    # Push does not go to an e-mail address.
    columns = [name for name in state.circumstances if channel == "mail" or name == "excluded"]
    effects = {("no" if state.tried else "sent") if row[name] == "once" else row[name] for name in columns}
    if "no" in effects:
        return "no"
    return row["quiet"] if state.quiet else "sent"


SWITCHES = frozenset(row["switch"] for row in ROWS.values()) - {"none"}


def combinations(kind: str) -> Iterator[State]:
    """Yield all states: with all switches on, with the kind's own one off, and with all others off."""
    own = {ROWS[kind]["switch"]} & SWITCHES
    for channel, verified, excluded, quiet in product((True, False), repeat=4):
        for block, tried in ((None, False), ("bounced", False), ("bounced", True), ("complained", False)):
            for off in (frozenset[str](), own, SWITCHES - own):
                yield State(frozenset(off), channel, verified, excluded, block, tried, quiet)  # type: ignore[arg-type]


def recipient(channel: Channel, state: State) -> Recipient:
    return Recipient(
        switches=frozenset(switch for switch in PREFERENCES if switch.value not in state.off),
        channels=frozenset(Channel) if state.channel else frozenset(Channel) - {channel},
        quiet_hours=QUIET if state.quiet else None,
        is_proved=state.verified,
        is_subscribed="subscription" not in state.off,
        is_excluded=state.excluded,
        block=state.block,
        may_try_critical=not state.tried,
    )


def outcome(decision: Drop | Defer | None) -> str:
    match decision:
        case None:
            return "sent"
        case Defer(until):
            assert until == MORNING
            return "later"
        case Drop():
            return "no"


def test_the_table_has_every_kind_and_every_switch() -> None:
    assert ROWS.keys() == KINDS.keys()
    booleans = {column.name for column in notification_preferences.c if isinstance(column.type, sa.Boolean)}
    assert GOVERNED.keys() == booleans
    for column, kinds in GOVERNED.items():
        match column:
            case "email_notifications":
                assert kinds == {kind for kind, row in ROWS.items() if row["channel"] == "yes"}
            case "push_notifications":
                assert kinds == {kind for kind, row in ROWS.items() if row["push and inbox"] == "yes"}
            case _:
                assert kinds == {kind for kind, row in ROWS.items() if row["switch"] == column}


@pytest.mark.parametrize("kind", KINDS)
def test_each_combination_is_decided_as_the_table_says(kind: str) -> None:
    states = [*combinations(kind)]
    assert len(states) == 192
    for channel, state in product(Channel, states):
        decision = decide(KINDS[kind], channel, recipient(channel, state), expires_at=None, now=NIGHT)
        assert outcome(decision) == expected(kind, channel.value, state), (kind, channel, state, decision)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_of_no_more_use_is_dropped(kind: str) -> None:
    quiet = Recipient(switches=PREFERENCES, is_subscribed=True, quiet_hours=QUIET)
    for after, in_quiet in ((HOUR, "no"), (MORNING - NIGHT, "no"), (MORNING - NIGHT + HOUR, "later")):
        decision = decide(KINDS[kind], Channel.MAIL, quiet, expires_at=NIGHT + after, now=NIGHT)
        assert outcome(decision) == (in_quiet if ROWS[kind]["quiet"] == "later" else "sent")
        assert not isinstance(decision, Drop) or decision.reason == "expired"
    assert decide(KINDS[kind], Channel.MAIL, quiet, expires_at=NIGHT, now=NIGHT) == Drop("expired")


# Each state, as its rows have it: the member's columns, their preferences, and the block of their e-mail address.
STATES: dict[str, tuple[State, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "nothing": (State(), {}, {"promotional_consented_at": NIGHT}, {}),
    **{
        f"{switch} off": (
            State(off=frozenset({switch})),
            {},
            {"promotional_consented_at": NIGHT} | ({} if switch == "subscription" else {switch: False}),
            {},
        )
        for switch in sorted(SWITCHES)
    },
    "without consent": (State(off=frozenset({"promotional_offers"})), {}, {}, {}),
    "channels": (
        State(channel=False),
        {},
        {"email_notifications": False, "push_notifications": False, "promotional_consented_at": NIGHT},
        {},
    ),
    "unverified": (State(verified=False), {"email_verified": False}, {"promotional_consented_at": NIGHT}, {}),
    "excluded": (State(excluded=True), {"excluded_until": NIGHT}, {"promotional_consented_at": NIGHT}, {}),
    "bounced": (
        State(block="bounced"),
        {},
        {"promotional_consented_at": NIGHT},
        {"bounced_at": NIGHT - 48 * HOUR, "complained_at": NIGHT, "critical_tried_at": NIGHT - 24 * HOUR},
    ),
    "tried": (
        State(block="bounced", tried=True),
        {},
        {"promotional_consented_at": NIGHT},
        {"bounced_at": NIGHT - 48 * HOUR, "critical_tried_at": NIGHT - 23 * HOUR, "critical_outbox_id": 0},
    ),
    "complained": (
        State(block="complained"),
        {},
        {"promotional_consented_at": NIGHT},
        {"complained_at": NIGHT, "critical_tried_at": NIGHT},
    ),
    "quiet": (
        State(quiet=True),
        {},
        {
            "promotional_consented_at": NIGHT,
            "quiet_from": time(1, 30),
            "quiet_to": time(9),
            "time_zone": "Europe/Berlin",
        },
        {},
    ),
}


def make_member(database: sa.Engine, members: Members, name: str) -> Member:
    state, columns, preferences, block = STATES[name]
    member = members.new(**columns)
    insert_row(database, notification_preferences, user_id=member.id, **preferences)
    if block:
        insert_row(database, mail_blocks, email_key=member.email, **block)
    insert_row(database, newsletter_subscriptions, email=member.email, is_subscribed="subscription" not in state.off)
    keys = {"p256dh": "key", "auth": "secret", "created_at": NIGHT}
    insert_row(database, push_subscriptions, user_id=member.id, endpoint=f"https://push.example/{member.id}", **keys)
    return member


@pytest.mark.parametrize("name", STATES)
def test_each_kind_is_queued_and_decided_by_the_rows_of_its_recipient(
    database: sa.Engine, members: Members, campaigns: Campaigns, name: str
) -> None:
    state, member = STATES[name][0], make_member(database, members, name)
    campaign = sa.literal({"campaign_id": campaigns.new(status="sending", queued_at=NIGHT)}, JSONB).label("payload")
    to_member = sa.select(users.c.id.label("user_id"), users.c.email, campaign).where(users.c.id == member.id)
    decided: dict[tuple[str, str], str] = {}
    with database.connect() as connection:
        for queued_kind in KINDS:
            connection.execute(sa.select(1).add_cte(*queued(queued_kind, to_member)), {"now": NIGHT})
        shown = connection.scalars(sa.select(notifications.c.kind).where(notifications.c.user_id == member.id)).all()
        mails = sa.select(outbox).where(outbox.c.user_id == member.id, outbox.c.channel == "mail")
        for row in connection.execute(mails).all():
            kind = KINDS[row.kind]
            found = read_recipient(connection, kind, row.id, row.user_id, row.address, now=NIGHT)
            decided[row.kind, "mail"] = outcome(decide(kind, Channel.MAIL, found, expires_at=None, now=NIGHT))
        for row in leases.lease(connection, now=NIGHT).rows:
            found = recipient_of_push(row)
            decided[row.kind, "push"] = outcome(
                decide(KINDS[row.kind], Channel.PUSH, found, expires_at=None, now=NIGHT)
            )
    channels = {kind: ["mail", "push"] if ROWS[kind]["push and inbox"] == "yes" else ["mail"] for kind in ROWS}
    assert decided == {(kind, channel): expected(kind, channel, state) for kind in ROWS for channel in channels[kind]}
    in_inbox = State(off=state.off, excluded=state.excluded)  # nothing else matters there
    assert sorted(shown) == sorted(kind for kind in ROWS if expected(kind, "push", in_inbox) == "sent")


def test_who_has_no_preferences_gets_all_but_promotional_offers(database: sa.Engine, members: Members) -> None:
    member = members.new()
    insert_row(database, notification_preferences, promotional_consented_at=NIGHT)  # a legacy row: nobody's
    with database.connect() as connection:
        found = read_recipient(connection, KINDS["campaign"], 0, member.id, member.email, now=NIGHT)
    assert found == Recipient()
    decided = {kind for kind in ROWS if decide(KINDS[kind], Channel.MAIL, found, expires_at=None, now=NIGHT)}
    assert decided == GOVERNED["promotional_offers"] | {"newsletter"}


def test_suspended_members_get_what_excluded_ones_get(database: sa.Engine, members: Members) -> None:
    member = members.new(suspended_at=NIGHT)
    with database.connect() as connection:
        found = read_recipient(connection, KINDS["race_result"], 0, member.id, member.email, now=NIGHT)
    for kind, row in ROWS.items():
        if row["push and inbox"] == "yes" and row["switch"] != "promotional_offers":
            for channel in Channel:
                decision = decide(KINDS[kind], channel, found, expires_at=None, now=NIGHT)
                assert decision == (Drop("suspended") if row["excluded"] == "no" else None), kind


def test_an_address_that_an_excluded_member_gave_up_gets_no_newsletter(database: sa.Engine, members: Members) -> None:
    email = f"gave-up-{members.new().id}@example.com"
    insert_row(database, newsletter_subscriptions, email=email)
    identity = sa.select(erased_identities.identity("email", sa.literal(email.upper()))).scalar_subquery()
    for excluded, reason in ((False, None), (True, Drop("excluded"))):
        with database.connect() as connection:
            connection.execute(
                sa.insert(remembered).values(identity=identity, erased_at=NIGHT, excluded_permanently=excluded)
                if not excluded
                else sa.update(remembered).where(remembered.c.identity == identity).values(excluded_permanently=True)
            )
            found = read_recipient(connection, KINDS["newsletter"], 0, None, email, now=NIGHT)
        assert decide(KINDS["newsletter"], Channel.MAIL, found, expires_at=None, now=NIGHT) == reason


def test_an_address_that_a_member_never_proved_is_a_stranger_s_to_the_newsletter(
    database: sa.Engine, members: Members
) -> None:
    member = members.new(email_verified=False, excluded_permanently=True)
    insert_row(database, notification_preferences, user_id=member.id, email_notifications=False)
    insert_row(database, newsletter_subscriptions, email=member.email)
    with database.connect() as connection:
        found = read_recipient(connection, KINDS["newsletter"], 0, None, member.email, now=NIGHT)
    assert decide(KINDS["newsletter"], Channel.MAIL, found, expires_at=None, now=NIGHT) is None


def test_a_critical_mail_that_is_tried_again_after_a_failure_is_one_try(database: sa.Engine, members: Members) -> None:
    member = members.new()
    block = {"bounced_at": NIGHT, "critical_tried_at": NIGHT, "critical_outbox_id": 71}
    insert_row(database, mail_blocks, email_key=member.email, **block)
    for outbox_id, reason in ((71, None), (72, Drop("bounced"))):
        with database.connect() as connection:
            found = read_recipient(connection, KINDS["verification"], outbox_id, member.id, member.email, now=NIGHT)
        assert decide(KINDS["verification"], Channel.MAIL, found, expires_at=None, now=NIGHT) == reason
