"""Past races, as the archive has them: settled ones, and those that the legacy application archived in any shape."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    any_,
    bindparam,
    case,
    cast,
    column,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH

from goatedvips.domain import pagination
from goatedvips.domain.pagination import Keyset, Page
from goatedvips.domain.races.results.archive import FIRST_ENTRIES
from goatedvips.errors import NotFound
from goatedvips.models.accounts import users
from goatedvips.models.races import historical_races


@dataclass(frozen=True, slots=True)
class PastRace:
    """A race of the archive.

    Parameters
    ----------
    race_id: None: the legacy application archived it, or the race was deleted.
    title, type: None: not archived.
    prize_pool, total_wagered: US dollars.
    participant_count: None: the legacy application wrote no number.
    """

    id: int
    race_id: int | None
    title: str | None
    type: str | None
    month: str
    year: str
    prize_pool: Decimal
    start_date: datetime
    end_date: datetime
    total_wagered: Decimal
    participant_count: int | None


@dataclass(frozen=True, slots=True)
class Results:
    """What the archive has of one race.

    Parameters
    ----------
    participants: JSON; the first ones by rank. Objects of settled races have `user_id`, `username`, `rank`,
        `total_wager` and `prize`; those of the legacy application have any shape.
    min_wager, paid, unallocated: US dollars; they and the others below are None unless the platform settled the race.
    start_feed, end_feed: of the raw feeds at the race's boundaries: `sha256` in hexadecimal digits, `requested_at`.
    """

    race: PastRace
    participants: list[Any]
    min_wager: str | None
    prize_distribution: object
    paid: str | None
    unallocated: str | None
    start_feed: Mapping[str, str] | None
    end_feed: Mapping[str, str] | None


def _text_of(key: str) -> ColumnElement[Any]:
    return historical_races.c.metadata.op("->>", return_type=Text())(literal(key, Text)).label(key)


_columns = (
    historical_races.c.id,
    historical_races.c.race_id,
    _text_of("title"),
    _text_of("type"),
    historical_races.c.month,
    historical_races.c.year,
    historical_races.c.prize_pool,
    historical_races.c.start_date,
    historical_races.c.end_date,
    historical_races.c.total_wagered,
    historical_races.c.participant_count,
)
_LATEST_END_FIRST = Keyset(historical_races.c.end_date, historical_races.c.id)
_select_past_races = _LATEST_END_FIRST.page_of(select(*_columns))


def newest(connection: Connection, *, limit: int, cursor: str | None) -> Page[PastRace]:
    """A page of the archive. The race with the latest end comes first.

    Raises
    ------
    ValidationFailed: the cursor is not one of this list.
    """
    return pagination.newest(
        connection, _select_past_races, {}, _past_race, by=_LATEST_END_FIRST, limit=limit, cursor=cursor
    )


def _past_race(row: Row[Any]) -> PastRace:
    given = {name: row._mapping[name] for name in PastRace.__dataclass_fields__}
    count = given["participant_count"]
    return PastRace(**given | {"participant_count": int(count) if re.fullmatch("[0-9]{1,9}", count) else None})


# Keys of the legacy application's entries, in lower case and without underscores.
_ID_KEYS = {"userid"}
_NAME_KEYS = {"username", "name", "displayname", "nickname", "user", "member", "player", "winner"}
_PRIVATE_KEYS = {"uid", "email"}
_ID = re.compile("[1-9][0-9]{0,18}")


_race = (
    select(*_columns, historical_races.c.metadata, FIRST_ENTRIES.label("entries"))
    .where(historical_races.c.id == bindparam("archive_id", type_=historical_races.c.id.type))
    .cte("race")
)


def _values_of(keys: Collection[str]) -> Select[Any]:
    """Select the values of these keys in the shown entries, at any depth, as text."""
    pattern = "|".join(sorted("_?".join(key) for key in keys))
    path = f'$.** ? (@.type() == "object").keyvalue() ? (@.key like_regex "^({pattern})$" flag "i").value'
    found = (
        func.jsonb_path_query(_race.c.entries, cast(literal(path, Text), JSONPATH))
        .table_valued(column("value", JSONB), name="found", joins_implicitly=True)
        .render_derived()
    )
    text = found.c.value.op("#>>", return_type=Text())(cast(literal("{}", Text), ARRAY(Text)))
    return select(text.label("text")).select_from(_race, found)


_id_texts = _values_of(_ID_KEYS).subquery("id_texts")
_ids = select(case((_id_texts.c.text.op("~")(literal("^[1-9][0-9]{0,9}$", Text)), cast(_id_texts.c.text, BigInteger))))
_hidden = (
    select(func.array_agg(users.c.id).label("ids"), func.array_agg(users.c.username).label("names"))
    .where(
        users.c.hide_name,
        or_(
            users.c.id == any_(func.array(_ids.scalar_subquery())),
            users.c.username == any_(func.array(_values_of(_NAME_KEYS).scalar_subquery())),
        ),
    )
    .cte("hidden")
)
_select_past_race: Select[*tuple[Any, ...]] = select(
    *_race.c, _hidden.c.ids.label("hidden_ids"), _hidden.c.names.label("hidden_names")
).select_from(_race.join(_hidden, true()))


def get(connection: Connection, archive_id: int) -> Results:
    """Return a race of the archive, without e-mail addresses, casino accounts and the names that members hide now.

    Raises
    ------
    NotFound
    """
    row = connection.execute(_select_past_race, {"archive_id": archive_id}).one_or_none()
    if row is None:
        raise NotFound
    made: Mapping[str, Any] = row.metadata if row.race_id is not None else {}
    hidden = {str(user_id) for user_id in row.hidden_ids or ()}, set(row.hidden_names or ())
    return Results(
        race=_past_race(row),
        participants=[_without_private(entry, *hidden) for entry in row.entries],
        **{
            name: made.get(name)
            for name in ("min_wager", "prize_distribution", "paid", "unallocated", "start_feed", "end_feed")
        },
    )


def _without_private(value: Any, hidden_ids: Collection[str], hidden_names: Collection[str]) -> Any:  # noqa: ANN401 - JSON
    """Return JSON without private keys; who is hidden keeps only figures. An id decides before a name.

    What stands in the place of an id and is none may be a casino account, so it is left out.
    """
    if isinstance(value, list):
        return [_without_private(item, hidden_ids, hidden_names) for item in value]
    if not isinstance(value, dict):
        return value
    plain = {key: key.replace("_", "").lower() for key in value}
    ids = [str(value[key]) for key in value if plain[key] in _ID_KEYS and _ID.fullmatch(str(value[key]))]
    names = [value[key] for key in value if plain[key] in _NAME_KEYS and isinstance(value[key], str)]
    is_hidden = any(user_id in hidden_ids for user_id in ids) if ids else any(name in hidden_names for name in names)
    blanked = _ID_KEYS | _NAME_KEYS if is_hidden else set()
    return {
        key: None if plain[key] in blanked else _without_private(item, hidden_ids, hidden_names)
        for key, item in value.items()
        if plain[key] not in _PRIVATE_KEYS and (plain[key] not in _ID_KEYS or _ID.fullmatch(str(item)))
    }
