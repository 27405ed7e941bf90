"""What the tables hold of a member: which rows are theirs, what of them they are shown, and what an erasure leaves.

Each table is decided on here, once.  A test holds this to the schema: a table, a reference to a member or a column of
text that is added later fails it until it is decided on.  Conditions and values are bound to `Caller.parameters`.
"""

from sqlalchemy import (
    ColumnElement,
    Table,
    Text,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH

from goatedvips.domain import audit
from goatedvips.domain.access import CALLER_ID
from goatedvips.domain.privacy.holding import (
    ERASED,
    OWN,
    PSEUDONYM,
    Condition,
    Holding,
    by_email,
    names_them,
    of_member,
)
from goatedvips.models.accounts import (
    account_links,
    attempts,
    erased_identities,
    identity_key,
    mailed_tokens,
    sessions,
    users,
)
from goatedvips.models.codes import bonus_codes, code_claims
from goatedvips.models.newsletter import newsletter_subscriptions
from goatedvips.models.notifications import notification_preferences, outbox
from goatedvips.models.operations import audit_log, idempotency_records
from goatedvips.models.races import historical_races, wager_race_participants, wager_races
from goatedvips.models.rewards import rewards
from goatedvips.models.tickets import support_tickets, ticket_messages
from goatedvips.models.wagers import tier_versions, wager_accounts
from goatedvips.models.wheel import wheel_seeds, wheel_spins, wheel_versions


def _tells_of_them(answer: ColumnElement[str]) -> Condition:
    """Whether an answer to somebody else, be it one of the staff, has their name, address or uid as a value."""
    known = {"username": OWN.username, "email": OWN.email, "uid": func.coalesce(OWN.uid, "")}
    told = case((answer.like("{%"), cast(answer, JSONB)))  # an empty one is no JSON
    path = cast("$.** ? (@.username == $username || @.email == $email || @.uid == $uid)", JSONPATH)
    values = func.jsonb_build_object(*(part for name, value in known.items() for part in (name, value)))
    return exists().where(OWN.id == CALLER_ID, func.jsonb_path_exists(told, path, values))


_own_tickets = select(support_tickets.c.id).where(support_tickets.c.user_id == CALLER_ID)
# As an array, which an index serves in spite of the OR.
_on_own_ticket = ticket_messages.c.ticket_id == func.any(func.array(_own_tickets.scalar_subquery()))
_by_them = ticket_messages.c.user_id == CALLER_ID
_own_link = account_links.c.user_id == CALLER_ID
_about_them = audit.about(CALLER_ID)


def _client_seed(table: Table) -> ColumnElement[str]:
    """The client seed where it is the default one, which is the id; any other is a text that the member chose.

    What was drawn from such a seed cannot be verified again, and nobody is left who would: the result stays.
    """
    seed = table.c.client_seed
    return case((or_(seed.is_(None), seed == cast(CALLER_ID, Text)), seed), else_=ERASED)


ACCOUNT = Holding(
    users,
    theirs=users.c.id == CALLER_ID,
    withheld=("password", "username_key", "email_key"),
    left={
        "username": PSEUDONYM,
        "username_key": PSEUDONYM,
        "email": PSEUDONYM + "@erased.invalid",  # no such domain will ever be (RFC 2606)
        "email_key": PSEUDONYM + "@erased.invalid",
        "password": literal(ERASED),  # has no format that anything could match
        "is_admin": false(),
        "email_verified": false(),
        "bio": null(),
        "profile_color": null(),
        "last_active": null(),
        "is_active": false(),
        "uid": null(),
        "total_wager": literal(0),
        "wager_today": literal(0),
        "wager_week": literal(0),
        "wager_month": literal(0),
        "verified": false(),
        "hide_name": true(),
        "suspended_reason": null(),
    },
    mentions=("bio", "suspended_reason"),
)
"""The member's own row. An erasure comes to it last: by what it holds the others are found."""

ARCHIVE = Holding(
    historical_races,
    theirs=true(),  # whose an entry is stands in the JSON: `personal_entries` finds theirs, which are shown alone
    withheld=("participants", "metadata"),  # where the guide's application may tell of others too
    apart=("participants", "metadata"),
    impersonal=("month", "year", "participant_count", "status"),
)


def _removed(table: Table, theirs: Condition, *withheld: str) -> Holding:
    """A table of which nothing stays."""
    return Holding(table, theirs, withheld=withheld, removed=theirs)


HOLDINGS = (
    ACCOUNT,
    _removed(sessions, sessions.c.user_id == CALLER_ID, "token_hash"),
    _removed(attempts, attempts.c.subject == cast(CALLER_ID, Text)),
    _removed(
        mailed_tokens,
        or_(
            mailed_tokens.c.user_id == CALLER_ID,
            and_(mailed_tokens.c.user_id.is_(None), by_email(mailed_tokens.c.address)),
        ),
        "token_hash",
    ),
    Holding(
        account_links,
        theirs=or_(_own_link, account_links.c.decided_by == CALLER_ID),
        shown_where={
            "user_id": _own_link,
            "uid": _own_link,
            "reason": _own_link,
            "decided_by": account_links.c.decided_by == CALLER_ID,
        },
        removed=_own_link,
        mentions=("reason",),
        impersonal=("decision", "uid"),  # of those that stay the uid is another member's
    ),
    Holding(
        wheel_spins,
        theirs=wheel_spins.c.user_id == CALLER_ID,
        left={
            "client_seed": _client_seed(wheel_spins),
            "reward_code": case(
                (names_them(wheel_spins.c.reward_code), literal(ERASED)), else_=wheel_spins.c.reward_code
            ),
        },
    ),
    Holding(
        wheel_seeds,
        theirs=wheel_seeds.c.user_id == CALLER_ID,
        shown_where={"server_seed": wheel_seeds.c.revealed_at.is_not(None)},
        shown_too={"server_seed_hash": func.encode(func.sha256(wheel_seeds.c.server_seed), "hex")},
        left={"client_seed": _client_seed(wheel_seeds)},
    ),
    Holding(
        bonus_codes,
        theirs=bonus_codes.c.user_id == CALLER_ID,
        withheld=("code_key",),
        left={
            "code": case(
                (names_them(bonus_codes.c.code), literal("erased:", Text) + cast(bonus_codes.c.id, Text)),
                else_=bonus_codes.c.code,
            ),
            "code_key": case(
                (names_them(bonus_codes.c.code), literal("ERASED:", Text) + cast(bonus_codes.c.id, Text)),
                else_=bonus_codes.c.code_key,
            ),
        },
        impersonal=("currency",),
    ),
    Holding(code_claims, theirs=code_claims.c.user_id == CALLER_ID),
    Holding(rewards, theirs=rewards.c.user_id == CALLER_ID, impersonal=("source_type", "currency")),
    Holding(
        wager_races,  # which they created, as one of the staff
        theirs=wager_races.c.created_by == CALLER_ID,
        mentions=("title", "rules", "description"),
        impersonal=("type", "status", "prize_distribution", "time_zone"),
    ),
    Holding(
        wager_race_participants,
        theirs=or_(wager_race_participants.c.user_id == CALLER_ID, wager_race_participants.c.member_key == CALLER_ID),
        withheld=("member_key",),
        apart=("wager_history",),
    ),
    ARCHIVE,
    Holding(
        support_tickets,
        theirs=support_tickets.c.user_id == CALLER_ID,
        left={"subject": literal(ERASED), "description": literal(ERASED)},
        mentions=("subject", "description"),
        impersonal=("status", "priority"),
    ),
    Holding(
        ticket_messages,
        theirs=or_(_by_them, and_(_on_own_ticket, ~ticket_messages.c.is_internal)),
        shown_where={
            # Who of the staff replied is not told; nor what they wrote, as one of the staff, on others' tickets.
            "user_id": _by_them,
            "message": and_(~ticket_messages.c.is_internal, or_(_on_own_ticket, ~ticket_messages.c.is_staff_reply)),
        },
        left={"message": literal(ERASED)},
        # What staff wrote to them greets and quotes them.
        left_where=or_(_on_own_ticket, and_(_by_them, ~ticket_messages.c.is_staff_reply)),
        mentions=("message",),
    ),
    _removed(
        newsletter_subscriptions,
        by_email(newsletter_subscriptions.c.email),
        "email_key",
    ),
    _removed(outbox, or_(outbox.c.user_id == CALLER_ID, and_(outbox.c.user_id.is_(None), by_email(outbox.c.address)))),
    Holding(
        idempotency_records,
        theirs=idempotency_records.c.user_id == CALLER_ID,
        withheld=("request_hash", "body_hash", "answer"),  # of staff's requests it tells of others
        removed=or_(idempotency_records.c.user_id == CALLER_ID, _tells_of_them(idempotency_records.c.answer)),
        impersonal=("key", "answer"),  # of the records that stay, which tell nothing of them
    ),
    Holding(
        audit_log,
        theirs=or_(audit_log.c.staff_id == CALLER_ID, _about_them),
        shown_where={"staff_id": audit_log.c.staff_id == CALLER_ID, "before": _about_them, "after": _about_them},
        apart=("before", "after"),  # functions cannot change what is written there: redact_audit_log does
        impersonal=("action", "request_id"),
    ),
    _removed(wager_accounts, wager_accounts.c.uid == of_member(OWN.uid)),
)

NOBODYS = (
    erased_identities,  # keyed hashes
    identity_key,
    notification_preferences,  # the guide's table says of none whose it is
    tier_versions,
    wheel_versions,
)
"""Tables that hold nothing of anybody's."""
