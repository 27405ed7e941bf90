"""The personal data in the tables of the affiliate feed, as `holdings` declares them for the other tables."""

from sqlalchemy import or_, select

from goatedvips.domain.access import CALLER_ID
from goatedvips.domain.privacy.personal_data import OWN, PersonalData, deleted, of_member
from goatedvips.models.races import race_board_blocks
from goatedvips.models.wagers import (
    accepted_falls,
    feed_entries,
    feeds,
    link_periods,
    member_tiers,
    statements,
    unread_members,
    wager_accounts,
    wager_board_blocks,
    wager_readings,
)

_own_account = or_(wager_accounts.c.uid == of_member(OWN.uid), wager_accounts.c.user_id == CALLER_ID)
_own_account_id = select(wager_accounts.c.id).where(_own_account).scalar_subquery()
_own_fall = accepted_falls.c.account_id == _own_account_id

WAGER_HOLDINGS = (
    PersonalData(  # accepted by the member while they were staff
        feeds,
        rows=feeds.c.accepted_by == CALLER_ID,
        never_exported=("token_ends_at",),  # about the platform, not about the member
        not_personal=("key", "sha256", "problem"),
    ),
    deleted(wager_readings, wager_readings.c.account_id == _own_account_id),
    PersonalData(
        accepted_falls,
        rows=or_(_own_fall, accepted_falls.c.accepted_by == CALLER_ID),
        exported_if={
            "account_id": _own_fall,
            "from_total": _own_fall,
            "to_total": _own_fall,
            "accepted_by": accepted_falls.c.accepted_by == CALLER_ID,
        },
        delete=_own_fall,
    ),
    PersonalData(member_tiers, rows=member_tiers.c.user_id == CALLER_ID, not_personal=("tier",)),
    deleted(unread_members, unread_members.c.user_id == CALLER_ID),
    deleted(link_periods, link_periods.c.user_id == CALLER_ID),
    deleted(statements, statements.c.user_id == CALLER_ID),
    deleted(wager_accounts, _own_account),  # after the tables that refer to it
)
WAGERS_WITHOUT_PERSONAL_DATA = (
    feed_entries,  # empty but for the transaction that ingests a feed
    race_board_blocks,  # ids in the order of ranks, which the export shows
    wager_board_blocks,  # ids in the order of totals, which the export shows
)
