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
    tuple_,
    union_all,
)
from sqlalchemy.sql.selectable import LateralFromClause

from goatedvips.domain.access import is_excluded
from goatedvips.domain.pagination import PAGE_ROWS
from goatedvips.domain.wagers.leaderboards import all_time_blocks
from goatedvips.models.accounts import users
from goatedvips.models.wagers import feeds
from goatedvips.models.wagers import wager_accounts as accounts
from goatedvips.models.wagers import wager_board_blocks as blocks

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


def _member_of(user_id: ColumnElement[int]) -> LateralFromClause:
    """Return the member with this id. It is a fence: they are read one by one, in the order of the accounts."""
    is_listed = and_(~is_excluded(), users.c.suspended_at.is_(None), users.c.erased_at.is_(None), ~users.c.is_shell)
    return (
        select(users.c.username, users.c.hide_name, is_listed.label("is_listed"))
        .where(users.c.id == user_id)
        .offset(literal_column("0"))
        .lateral("member")
    )


_member = _member_of(accounts.c.user_id)


def _select_members(order: ColumnElement[Any], *conditions: ColumnElement[bool]) -> Select[Any]:
    """Return a select of the members of a board after some position.

    The triggers list the members. The state of each is checked again, because a decision on a link, an exclusion and an
    ingest at once may leave one listed.

    Parameters
    ----------
    order: the figure of the board, a column of the index that has its order.
    """
    return (
        select(
            accounts.c.id.label("account_id"),
            accounts.c.user_id,
            _member.c.username,
            _member.c.hide_name,
            order.label("wagered"),
        )
        .join(_member, true())
        .where(accounts.c.is_listed, accounts.c.user_id.is_not(None), order > 0, *conditions, _member.c.is_listed)
        .order_by(order.desc(), accounts.c.user_id)
        .limit(PAGE_ROWS)
    )


def _first_page(figure: ColumnElement[Any]) -> Select[Any]:
    return _standings_of(_select_members(figure).subquery("page"), literal(0))


def _select_after(order: ColumnElement[Any], *conditions: ColumnElement[bool]) -> list[Select[Any]]:
    # Two index range scans: PostgreSQL cannot use one index condition for an order of which only one part descends.
    return [
        _select_members(order, order == _LAST_FIGURE, accounts.c.user_id > _LAST_ID, *conditions),
        _select_members(order, order < _LAST_FIGURE, *conditions),
    ]


def _later_page(figure: ColumnElement[Any]) -> Select[Any]:
    return _standings_of(union_all(*_select_after(figure)).subquery("page"), _AFTER_RANK)


_MOST_BLOCKS = 5  # those of a page and some more, because members may be excluded before blocks are written anew
_AFTER = tuple_(-_LAST_FIGURE, _LAST_ID)


def _select_placed(*, is_first: bool) -> Select[Any]:
    """Return a select of members in the blocks of the board of all time, up to a page of them."""
    chosen = select(blocks)
    if not is_first:
        chosen = chosen.where(tuple_(blocks.c.last_place, blocks.c.last_user_id) > _AFTER)
    chosen = chosen.order_by(blocks.c.last_place, blocks.c.last_user_id).limit(_MOST_BLOCKS)
    placed = all_time_blocks.accounts_of(chosen, beyond=None if is_first else _AFTER_ACCOUNT_ID)
    # A fence, as `_member` is one.
    account = (
        select(accounts.c.id, accounts.c.user_id, accounts.c.total_wager)
        .where(accounts.c.id == placed.c.id, accounts.c.is_placed)
        .offset(literal_column("0"))
        .lateral("account")
    )
    member = _member_of(account.c.user_id)
    return (
        select(
            account.c.id.label("account_id"),
            account.c.user_id,
            member.c.username,
            member.c.hide_name,
            account.c.total_wager.label("wagered"),
        )
        .select_from(placed)
        .join(account, true())
        .join(member, true())
        # The account after which the page begins may stand in another block by now.
        .where(member.c.is_listed, true() if is_first else tuple_(-account.c.total_wager, account.c.user_id) > _AFTER)
        .order_by(placed.c.last_place, placed.c.last_user_id, placed.c.place)
        .limit(PAGE_ROWS)
    )


_is_unplaced = ~accounts.c.is_placed
_first_page_of_all_time = union_all(
    _select_placed(is_first=True), _select_members(accounts.c.unplaced_total, _is_unplaced)
)
_later_page_of_all_time = union_all(
    _select_placed(is_first=False), *_select_after(accounts.c.unplaced_total, _is_unplaced)
)


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
select_first_page_of_all_time = _standings_of(_first_page_of_all_time.subquery("page"), literal(0))
select_later_page_of_all_time = _standings_of(_later_page_of_all_time.subquery("page"), _AFTER_RANK)
