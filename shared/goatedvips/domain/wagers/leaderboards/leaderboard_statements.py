"""The statements that read a page of a community leaderboard, and as of when its figures are.

Each board has statements of its own, because each is read by another index: `wager_accounts_listed_…_idx`.
"""

from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Numeric,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal,
    literal_column,
    select,
    true,
    union_all,
)

from goatedvips.domain.access import is_excluded
from goatedvips.domain.pagination import PAGE_ROWS
from goatedvips.models.accounts import users
from goatedvips.models.wagers import feeds
from goatedvips.models.wagers import wager_accounts as accounts

_UNIT = Decimal("0.00000001")  # as in the cursors
_AFTER_PLACE = bindparam("after_place", type_=BigInteger)
_AFTER_RANK = bindparam("after_rank", type_=BigInteger)
# A product is exact; the scale of a quotient depends on its size.
_LAST_FIGURE = cast(_AFTER_PLACE, Numeric(20, 0)) * literal(-_UNIT, Numeric(9, 8))
# The cursor has no id of a member, because the last member of a page may hide their name.
_AFTER_ACCOUNT_ID = bindparam("after_account_id", type_=BigInteger)
_LAST_ID = func.coalesce(
    select(accounts.c.user_id).where(accounts.c.id == _AFTER_ACCOUNT_ID).scalar_subquery(),
    0,
)
_newest_feed = (
    select(feeds.c.requested_at)
    .where(feeds.c.uid_count > 0)
    .order_by(feeds.c.requested_at.desc(), feeds.c.key.desc())
    .limit(1)
    .scalar_subquery()
)


# A fence: PostgreSQL reads the members one by one, in the order of the accounts, however few it expects.
_member = (
    select(
        users.c.username,
        users.c.hide_name,
        and_(~is_excluded(), users.c.suspended_at.is_(None), users.c.erased_at.is_(None), ~users.c.is_shell).label(
            "is_listed"
        ),
    )
    .where(users.c.id == accounts.c.user_id)
    .offset(literal_column("0"))
    .lateral("member")
)


def _select_members(figure: ColumnElement[Any], *conditions: ColumnElement[bool]) -> Select[Any]:
    """Return a select of the members of a board after some position, in the order of the index.

    The index has the members whom the triggers list. The state of each is checked again, because a decision on a link,
    an exclusion and an ingest at once may leave one listed.
    """
    return (
        select(
            accounts.c.id.label("account_id"),
            accounts.c.user_id,
            _member.c.username,
            _member.c.hide_name,
            figure.label("wagered"),
        )
        .join(_member, true())
        .where(accounts.c.is_listed, accounts.c.user_id.is_not(None), figure > 0, *conditions, _member.c.is_listed)
        .order_by(figure.desc(), accounts.c.user_id)
        .limit(PAGE_ROWS)
    )


def _first_page(figure: ColumnElement[Any]) -> Select[Any]:
    return _standings_of(_select_members(figure).subquery("page"), literal(0))


def _later_page(figure: ColumnElement[Any]) -> Select[Any]:
    # Two index range scans: PostgreSQL cannot use one index condition for an order of which only one part descends.
    page = union_all(
        _select_members(figure, figure == _LAST_FIGURE, accounts.c.user_id > _LAST_ID),
        _select_members(figure, figure < _LAST_FIGURE),
    ).subquery("page")
    return _standings_of(page, _AFTER_RANK)


def _standings_of(page: Subquery, ranks_before: ColumnElement[int]) -> Select[Any]:
    """Return the statement of a page. It has a row without a member if the page is empty.

    Parameters
    ----------
    ranks_before: the rank of the last member of the page before.
    """
    as_of = select(_newest_feed.label("as_of")).subquery("newest")
    rank = ranks_before + func.row_number().over(order_by=(page.c.wagered.desc(), page.c.user_id))
    return (
        select(
            page.c.account_id,
            rank.label("rank"),
            case((~page.c.hide_name, page.c.user_id)).label("user_id"),
            case((~page.c.hide_name, page.c.username)).label("username"),
            page.c.wagered,
            as_of.c.as_of,
        )
        .select_from(as_of.outerjoin(page, true()))
        .order_by(page.c.wagered.desc(), page.c.user_id)
        .limit(PAGE_ROWS)
    )


select_first_page_of_today = _first_page(accounts.c.wager_today)
select_later_page_of_today = _later_page(accounts.c.wager_today)
select_first_page_of_week = _first_page(accounts.c.wager_week)
select_later_page_of_week = _later_page(accounts.c.wager_week)
select_first_page_of_month = _first_page(accounts.c.wager_month)
select_later_page_of_month = _later_page(accounts.c.wager_month)
select_first_page_of_all_time = _first_page(accounts.c.total_wager)
select_later_page_of_all_time = _later_page(accounts.c.total_wager)
