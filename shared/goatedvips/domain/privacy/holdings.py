"""The personal data in every table: which rows are a member's, what the export shows, what an erasure changes.

Each table has exactly one entry. A test fails for a new table, reference to a member or text column until an entry
covers it. Conditions and values are bound to `Caller.parameters`.
"""

from typing import Any

from sqlalchemy import (
    ColumnElement,
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
from goatedvips.domain.privacy.personal_data import (
    ERASED,
    OWN,
    PSEUDONYM,
    Condition,
    PersonalData,
    by_email,
    deleted,
    names_member,
)
from goatedvips.domain.privacy.ticket_holdings import TICKET_HOLDINGS
from goatedvips.domain.privacy.wager_holdings import WAGER_HOLDINGS, WAGERS_WITHOUT_PERSONAL_DATA
from goatedvips.domain.races.scores import history_so_far
from goatedvips.models.accounts import (
    account_links,
    attempts,
    erased_identities,
    identity_key,
    mailed_tokens,
    sessions,
    users,
)
from goatedvips.models.codes import bonus_codes, code_batches, code_claims
from goatedvips.models.newsletter import campaigns, newsletter_subscriptions
from goatedvips.models.notifications import (
    mail_blocks,
    mail_events,
    notification_preferences,
    notifications,
    outbox,
    push_subscriptions,
    sender_state,
    unsubscribe_keys,
)
from goatedvips.models.operations import audit_log, figures, idempotency_records
from goatedvips.models.races import historical_races, participant_changes, race_boundaries, wager_races
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.rewards import payout_items, payouts, reward_grants, rewards
from goatedvips.models.wagers import tier_versions
from goatedvips.models.wheel import wheel_seeds, wheel_spins, wheel_versions


def _names_member_in_json(answer: ColumnElement[str]) -> Condition:
    """Whether a stored answer has the member's username, e-mail address or uid; it may be for somebody else."""
    identifiers = {"username": OWN.username, "email": OWN.email, "uid": func.coalesce(OWN.uid, "")}
    answer_json = case((answer.like("{%"), cast(answer, JSONB)))  # an empty answer is not JSON
    path = cast("$.** ? (@.username == $username || @.email == $email || @.uid == $uid)", JSONPATH)
    variables = func.jsonb_build_object(*(part for name, value in identifiers.items() for part in (name, value)))
    return exists().where(OWN.id == CALLER_ID, func.jsonb_path_exists(answer_json, path, variables))


_own_link = account_links.c.user_id == CALLER_ID
_about_member = audit.about(CALLER_ID)
_own_grant = reward_grants.c.user_id == CALLER_ID
_own_payout = payouts.c.user_id == CALLER_ID


def _client_seed(seed: ColumnElement[Any]) -> ColumnElement[Any]:
    """The client seed without the member's own text: the default seed, which is the member's id, is not changed.

    Spins drawn with an overwritten seed can no longer be verified; their results do not change.
    """
    return case((or_(seed.is_(None), seed == cast(CALLER_ID, Text)), seed), else_=ERASED)


ACCOUNT = PersonalData(
    users,
    rows=users.c.id == CALLER_ID,
    never_exported=("password", "username_key", "email_key"),
    overwrite={
        "username": PSEUDONYM,
        "username_key": PSEUDONYM,
        "email": PSEUDONYM + "@erased.invalid",  # RFC 2606 reserves .invalid: no mail is ever delivered there
        "email_key": PSEUDONYM + "@erased.invalid",
        "password": literal(ERASED),  # not a hash format, so no password matches
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
    scrub_email_in=("bio", "suspended_reason"),
    not_personal=("tier",),
)
"""The member's own row. An erasure changes it last, because the conditions of the other tables read it."""

ARCHIVE = PersonalData(
    historical_races,
    rows=true(),  # the members are named inside the JSON: `personal_entries` selects the member's entries
    never_exported=("participants", "metadata"),  # the legacy application may have stored other people there too
    handled_in_code=("participants", "metadata"),
    not_personal=("month", "year", "participant_count", "status"),
)


HOLDINGS = (
    ACCOUNT,
    deleted(sessions, sessions.c.user_id == CALLER_ID, "token_hash"),
    deleted(attempts, attempts.c.subject == cast(CALLER_ID, Text)),
    deleted(
        mailed_tokens,
        or_(
            mailed_tokens.c.user_id == CALLER_ID,
            and_(mailed_tokens.c.user_id.is_(None), by_email(mailed_tokens.c.address)),
        ),
        "token_hash",
    ),
    PersonalData(
        account_links,
        rows=or_(_own_link, account_links.c.decided_by == CALLER_ID),
        exported_if={
            "user_id": _own_link,
            "uid": _own_link,
            "reason": _own_link,
            "decided_by": account_links.c.decided_by == CALLER_ID,
        },
        delete=_own_link,
        scrub_email_in=("reason",),
        not_personal=("decision", "uid"),  # the remaining rows have the uid of another member
    ),
    PersonalData(
        wheel_spins,
        rows=wheel_spins.c.user_id == CALLER_ID,
        overwrite={
            "client_seed": _client_seed(wheel_spins.c.client_seed),
            "reward_code": case(
                (names_member(wheel_spins.c.reward_code), literal(ERASED)), else_=wheel_spins.c.reward_code
            ),
        },
    ),
    PersonalData(
        wheel_seeds,
        rows=wheel_seeds.c.user_id == CALLER_ID,
        exported_if={"server_seed": wheel_seeds.c.revealed_at.is_not(None)},
        also_exported={"server_seed_hash": func.encode(func.sha256(wheel_seeds.c.server_seed), "hex")},
        overwrite={
            "client_seed": _client_seed(wheel_seeds.c.client_seed),
            "chosen_client_seed": _client_seed(wheel_seeds.c.chosen_client_seed),
        },
    ),
    PersonalData(
        wheel_versions,  # nobody's data, but what the member's spins are verified with
        rows=wheel_versions.c.id.in_(select(wheel_spins.c.version_id).where(wheel_spins.c.user_id == CALLER_ID)),
        not_personal=("segments",),
    ),
    PersonalData(
        bonus_codes,
        rows=bonus_codes.c.user_id == CALLER_ID,
        never_exported=("code_key",),
        overwrite={
            "code": case(
                (names_member(bonus_codes.c.code), literal("erased:", Text) + cast(bonus_codes.c.id, Text)),
                else_=bonus_codes.c.code,
            ),
            "code_key": case(
                (names_member(bonus_codes.c.code), literal("ERASED:", Text) + cast(bonus_codes.c.id, Text)),
                else_=bonus_codes.c.code_key,
            ),
        },
        not_personal=("currency",),
    ),
    PersonalData(code_batches, rows=code_batches.c.user_id == CALLER_ID),
    PersonalData(code_claims, rows=code_claims.c.user_id == CALLER_ID),
    PersonalData(
        rewards,
        rows=rewards.c.user_id == CALLER_ID,
        also_exported={
            "payout_id": select(payout_items.c.payout_id)
            .where(payout_items.c.reward_id == rewards.c.id)
            .scalar_subquery()
        },
        not_personal=("source_type", "currency"),
    ),
    PersonalData(
        reward_grants,
        rows=or_(_own_grant, reward_grants.c.created_by == CALLER_ID),
        exported_if={
            "user_id": _own_grant,
            "amount": _own_grant,
            "created_by": reward_grants.c.created_by == CALLER_ID,
        },
    ),
    PersonalData(
        payouts,
        rows=or_(_own_payout, payouts.c.created_by == CALLER_ID),
        exported_if={
            "user_id": _own_payout,
            "uid": _own_payout,
            "amount": _own_payout,
            "reference": _own_payout,
            "created_by": payouts.c.created_by == CALLER_ID,
        },
        overwrite={
            "uid": null(),
            "reference": case((names_member(payouts.c.reference), literal(ERASED)), else_=payouts.c.reference),
        },
        overwrite_where=_own_payout,
    ),
    PersonalData(
        wager_races,  # created by the member while they were staff
        rows=wager_races.c.created_by == CALLER_ID,
        scrub_email_in=("title", "rules", "description"),
        not_personal=("type", "status", "prize_distribution", "time_zone"),
    ),
    PersonalData(
        participants,
        rows=or_(participants.c.user_id == CALLER_ID, participants.c.member_key == CALLER_ID),
        never_exported=("member_key", "is_placed", "noted_rank", "unplaced_rank"),  # bookkeeping of the rank
        also_exported={"wager_history_so_far": history_so_far()},  # the settlement writes `wager_history`
        handled_in_code=("wager_history",),
        not_personal=("unranked_reason",),
    ),
    ARCHIVE,
    *TICKET_HOLDINGS,
    deleted(newsletter_subscriptions, by_email(newsletter_subscriptions.c.email), "email_key"),
    PersonalData(  # created by the member while they were staff
        campaigns,
        rows=campaigns.c.created_by == CALLER_ID,
        scrub_email_in=("subject", "body", "html", "plain_text"),
        not_personal=("audience", "status", "paused_reason", "tiers", "final_counts"),
    ),
    deleted(notification_preferences, notification_preferences.c.user_id == CALLER_ID),
    deleted(notifications, notifications.c.user_id == CALLER_ID),
    deleted(push_subscriptions, push_subscriptions.c.user_id == CALLER_ID, "p256dh", "auth"),
    deleted(outbox, or_(outbox.c.user_id == CALLER_ID, and_(outbox.c.user_id.is_(None), by_email(outbox.c.address)))),
    deleted(mail_blocks, by_email(mail_blocks.c.email_key), "email_key"),
    PersonalData(
        idempotency_records,
        rows=idempotency_records.c.user_id == CALLER_ID,
        never_exported=("request_hash", "body_hash", "answer"),  # an answer to staff is about other members
        delete=or_(idempotency_records.c.user_id == CALLER_ID, _names_member_in_json(idempotency_records.c.answer)),
        not_personal=("key", "answer"),  # the remaining records do not name the member
    ),
    PersonalData(
        audit_log,
        rows=or_(audit_log.c.staff_id == CALLER_ID, _about_member),
        exported_if={"staff_id": audit_log.c.staff_id == CALLER_ID, "before": _about_member, "after": _about_member},
        handled_in_code=("before", "after"),  # only the SQL function redact_audit_log may change them
        not_personal=("action", "request_id"),
    ),
    *WAGER_HOLDINGS,
    PersonalData(  # the exclusion survives without the reference to the member
        erased_identities,
        rows=erased_identities.c.given_up_by == CALLER_ID,
        never_exported=("identity",),  # a keyed hash
        overwrite={"given_up_by": null()},
    ),
)

WITHOUT_PERSONAL_DATA = (
    figures,
    identity_key,
    mail_events,
    payout_items,  # ids; the export shows them with the rewards
    participant_changes,
    race_boundaries,
    sender_state,
    tier_versions,
    unsubscribe_keys,
    *WAGERS_WITHOUT_PERSONAL_DATA,
)
"""Tables without personal data."""
