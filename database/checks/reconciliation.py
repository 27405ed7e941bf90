"""The ledger reconciled with what it was granted for and with what was paid out; each difference is named by its row.

It begins at adoption: what the legacy application wrote has no value, so it has no row in the ledger either.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Numeric, Select, and_, case, cast, exists, func, not_, null, or_, select

from database.checks.questions import Kind, Question, Undecided, answer
from goatedvips.models.codes import bonus_codes, code_claims
from goatedvips.models.races import historical_races, wager_race_participants
from goatedvips.models.rewards import payout_items, payouts, reward_grants, rewards
from goatedvips.models.wagers import member_tiers
from goatedvips.models.wheel import wheel_spins, wheel_versions

type Found = Select[int, int | None]

_MADE_GOOD = "find out what wrote it; a grant or a correction makes good what a member has too little or too much"


def _by_member(amounts: Select[int, Decimal], name: str) -> Select[int, Any]:
    by_member = amounts.subquery(name)
    return select(by_member.c.user_id, func.sum(by_member.c.amount).label("amount")).group_by(by_member.c.user_id)


def _payouts_of_another_sum() -> Found:
    covered = (
        select(payout_items.c.payout_id, func.sum(rewards.c.amount).label("amount"))
        .join(rewards, rewards.c.id == payout_items.c.reward_id)
        .group_by(payout_items.c.payout_id)
        .subquery("covered")
    )
    return (
        select(payouts.c.id, null())
        .outerjoin(covered, covered.c.payout_id == payouts.c.id)
        .where(payouts.c.amount.is_distinct_from(covered.c.amount))
    )


def _rewards_in_several_payouts() -> Found:
    return (
        select(rewards.c.id, null())
        .join(payout_items, payout_items.c.reward_id == rewards.c.id)
        .join(payouts, payouts.c.id == payout_items.c.payout_id)
        .group_by(rewards.c.id)
        .having(or_(func.count() > 1, func.bool_or(payouts.c.user_id != rewards.c.user_id)))
    )


def _members_whose_open_rewards_differ() -> Found:
    """Granted, less what is in payouts, is not what is open."""
    granted = _by_member(select(rewards.c.user_id, rewards.c.amount), "granted_rows").subquery("granted")
    paid = _by_member(select(payouts.c.user_id, payouts.c.amount), "paid_rows").subquery("paid")
    is_open = not_(exists().where(payout_items.c.reward_id == rewards.c.id))
    still_open = _by_member(select(rewards.c.user_id, rewards.c.amount).where(is_open), "open_rows").subquery("open")
    return (
        select(granted.c.user_id, null())
        .outerjoin(paid, paid.c.user_id == granted.c.user_id)
        .outerjoin(still_open, still_open.c.user_id == granted.c.user_id)
        .where(
            granted.c.amount - func.coalesce(paid.c.amount, 0) != func.coalesce(still_open.c.amount, 0),
        )
    )


_HAS_CLAIM = and_(
    code_claims.c.code_id == bonus_codes.c.id,
    code_claims.c.user_id == rewards.c.user_id,
    bonus_codes.c.value == rewards.c.amount,
)
_OF_GRANT = and_(
    reward_grants.c.id == rewards.c.source_id,
    reward_grants.c.user_id == rewards.c.user_id,
    reward_grants.c.amount == rewards.c.amount,
    rewards.c.source_type == case((reward_grants.c.amount < 0, "correction"), else_="grant"),
)
_OF_TIER = and_(
    member_tiers.c.id == rewards.c.source_id,
    member_tiers.c.user_id == rewards.c.user_id,
    member_tiers.c.reward == rewards.c.amount,
    rewards.c.source_type == "tier",
)


def _rewards_without_source() -> Found:
    kind, source = rewards.c.source_type, rewards.c.source_id
    won = exists().where(_HAS_CLAIM, bonus_codes.c.spin_id == source)
    issued = exists().where(_HAS_CLAIM, bonus_codes.c.id == source, bonus_codes.c.spin_id.is_(None))
    granted = exists().where(_OF_GRANT)
    reached = exists().where(_OF_TIER)
    settled = exists().where(
        historical_races.c.race_id == source,
        wager_race_participants.c.race_id == source,
        wager_race_participants.c.user_id == rewards.c.user_id,
        wager_race_participants.c.rank.is_not(None),
    )
    return select(rewards.c.id, null()).where(
        or_(
            and_(kind == "spin", ~won),
            and_(kind == "code", ~issued),
            and_(kind.in_(("grant", "correction")), ~granted),
            and_(kind == "race", ~settled),
            and_(kind == "tier", ~reached),
        )
    )


def _settled_races_of_another_sum() -> Found:
    """The prizes in the ledger are not what the archive says was paid, or that and the rest are not the prize pool."""
    granted = (
        select(rewards.c.source_id.label("race_id"), func.sum(rewards.c.amount).label("amount"))
        .where(rewards.c.source_type == "race")
        .group_by(rewards.c.source_id)
        .subquery("granted_prizes")
    )
    paid, unallocated = (
        cast(historical_races.c.metadata.op("->>")(name), Numeric(18, 2)) for name in ("paid", "unallocated")
    )
    return (
        select(historical_races.c.id, null())
        .outerjoin(granted, granted.c.race_id == historical_races.c.race_id)
        .where(
            historical_races.c.race_id.is_not(None),
            or_(
                func.coalesce(granted.c.amount, 0).is_distinct_from(paid),
                (paid + unallocated).is_distinct_from(historical_races.c.prize_pool),
            ),
        )
    )


def _claims_without_reward() -> Found:
    has_reward = exists().where(
        rewards.c.source_type == case((bonus_codes.c.spin_id.is_(None), "code"), else_="spin"),
        rewards.c.source_id == func.coalesce(bonus_codes.c.spin_id, bonus_codes.c.id),
        rewards.c.user_id == code_claims.c.user_id,
    )
    return (
        select(code_claims.c.id, null())
        .join(bonus_codes, bonus_codes.c.id == code_claims.c.code_id)
        .where(bonus_codes.c.value.is_not(None), ~has_reward)
    )


def _grants_without_reward() -> Found:
    return select(reward_grants.c.id, null()).where(~exists().where(_OF_GRANT))


def _tiers_without_reward() -> Found:
    return select(member_tiers.c.id, null()).where(member_tiers.c.reward != 0, ~exists().where(_OF_TIER))


def _codes_with_another_counter() -> Found:
    counted = (
        select(code_claims.c.code_id, func.count().label("claims")).group_by(code_claims.c.code_id).subquery("counted")
    )
    return (
        select(bonus_codes.c.id, null())
        .outerjoin(counted, counted.c.code_id == bonus_codes.c.id)
        .where(bonus_codes.c.value.is_not(None), bonus_codes.c.claims != func.coalesce(counted.c.claims, 0))
    )


def _spins_without_their_code() -> Found:
    segment = wheel_versions.c.segments.op("->")(wheel_spins.c.segment_index)
    value = cast(segment.op("->>")("value"), Numeric)
    return (
        select(wheel_spins.c.id, null())
        .join(wheel_versions, wheel_versions.c.id == wheel_spins.c.version_id)
        .outerjoin(bonus_codes, bonus_codes.c.spin_id == wheel_spins.c.id)
        .where(
            or_(
                and_(value > 0, bonus_codes.c.value.is_distinct_from(value)),
                and_(value == 0, bonus_codes.c.id.is_not(None)),
            )
        )
    )


QUESTIONS = tuple(
    Question(table, frozenset(), (Kind(what, _MADE_GOOD),), rows)
    for table, what, rows in (
        ("payouts", "amounts that are not the sum of their rewards", _payouts_of_another_sum()),
        ("rewards", "rows in several payouts, or in another member's", _rewards_in_several_payouts()),
        (
            "users",
            "members whose rewards, less their payouts, are not what is open",
            _members_whose_open_rewards_differ(),
        ),
        (
            "rewards",
            "rows without the claim, the grant, the tier or the settled race that they are for",
            _rewards_without_source(),
        ),
        (
            "historical_races",
            "settled races whose prizes in the ledger are not what was paid, or with the rest not the prize pool",
            _settled_races_of_another_sum(),
        ),
        ("code_claims", "claims of a value without their row of the ledger", _claims_without_reward()),
        ("reward_grants", "grants and corrections without their row of the ledger", _grants_without_reward()),
        ("member_tiers", "tiers with a reward without their row of the ledger", _tiers_without_reward()),
        ("bonus_codes", "codes whose counter is not the number of their claims", _codes_with_another_counter()),
        ("wheel_spins", "winning spins without their one code, or others with one", _spins_without_their_code()),
    )
)


def differences(connection: Connection) -> Iterator[Undecided]:
    """Yield the differences, in a database whose schema is the newest."""
    for question in QUESTIONS:
        yield from answer(connection, question)
