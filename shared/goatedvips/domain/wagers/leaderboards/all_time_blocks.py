"""The order of the leaderboard of all time: rows with a hundred accounts each.

An index of the lifetime totals would get a new entry for each account that has wagered. Each ingest writes these rows
anew instead. An account that is listed meanwhile stands in an index of such accounts until then.
"""

from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Select,
    Subquery,
    cast,
    delete,
    func,
    insert,
    literal_column,
    null,
    select,
    true,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from goatedvips.models.wagers import wager_accounts as accounts
from goatedvips.models.wagers import wager_board_blocks as blocks

PLACES = 100
"""In a block: as many as a page has at most."""

# One array, sorted once and then cut: to group by the number of a block would sort the rows once more.
_ids_in_order = func.array_agg(aggregate_order_by(accounts.c.id, accounts.c.total_wager.desc(), accounts.c.user_id))
_board = (
    select(type_coerce(_ids_in_order, ARRAY(Integer)).label("ids"))
    .where(accounts.c.is_listed, accounts.c.total_wager > 0)
    .cte("board")
    .prefix_with("MATERIALIZED")
)
_count = func.cardinality(_board.c.ids)
_cut = func.generate_series(PLACES, _count + PLACES - 1, PLACES).table_valued("last", name="cut").render_derived()
_last = _cut.c.last
_insert_blocks = insert(blocks).from_select(
    ["last_place", "last_user_id", "account_ids"],
    select(-accounts.c.total_wager, accounts.c.user_id, _board.c.ids[_last - (PLACES - 1) : _last])
    .select_from(_board.join(_cut, true()))
    .join(accounts, accounts.c.id == _board.c.ids[func.least(_last, _count)]),
)
_mark_placed = (
    update(accounts)
    .where(accounts.c.is_listed, ~accounts.c.is_placed)
    .values(is_placed=True, unplaced_total=null())
    .cte("mark_placed")
)


def deleted_blocks() -> CTE:
    """Return the delete of all blocks, for a statement that `write` follows."""
    return delete(blocks).cte("delete_blocks")


def write(connection: Connection) -> None:
    """Insert the blocks of all listed accounts by their present totals."""
    connection.execute(_insert_blocks.add_cte(_mark_placed))


def accounts_of(chosen: Select[Any], *, beyond: ColumnElement[int] | None) -> Subquery:
    """Return a subquery of the accounts in some blocks, by `last_place`, `last_user_id` and `place`.

    Its last column is `id`.

    Parameters
    ----------
    chosen: a select with all columns of `wager_board_blocks`.
    beyond: the id of an account. In its block, only those that come after it are returned.
    """
    block = chosen.subquery("block")
    account = func.unnest(block.c.account_ids).table_valued("id", with_ordinality="place", name="account")
    account = account.render_derived()
    rows = select(block.c.last_place, block.c.last_user_id, account.c.place, account.c.id)
    rows = rows.select_from(block).join(account, true())
    if beyond is not None:
        place = func.array_position(cast(block.c.account_ids, ARRAY(BigInteger)), beyond)
        rows = rows.where(account.c.place > func.coalesce(place, 0))
    return (
        rows.order_by(block.c.last_place, block.c.last_user_id, account.c.place)
        .offset(literal_column("0"))
        .subquery("placed")
    )
