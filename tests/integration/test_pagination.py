"""The contract of every list: sizes, order, and what is refused as `limit` and `cursor`.

The lists are found in the OpenAPI document, so a new list fails here until LISTS has it.
"""

import base64
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.accounts import account_links
from goatedvips.models.codes import bonus_codes
from goatedvips.models.newsletter import newsletter_subscriptions as subscriptions
from goatedvips.models.notifications import notifications
from goatedvips.models.races import historical_races
from goatedvips.models.wagers import statements, wager_accounts
from tests.support import ledger
from tests.support.campaigns import Campaigns
from tests.support.codes import Codes
from tests.support.functions import ROOT, Answer, Functions
from tests.support.members import Member, Members
from tests.support.races import END, START, Races
from tests.support.rows import insert_row
from tests.support.spins import Spins
from tests.support.tickets import Tickets

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LIMITS = ["0", "101", "1000", "-1", "+1", "1.0", "1e1", " 1", "٣", "one", ""]
CURSORS = ["", "x", "é", "null", "MQ==", "MSwy", "MDAwMDE=", "MTAw!!!!", "A" * 101, "A" * 8001]


@dataclass(frozen=True)
class World:
    """What the lists are filled with."""

    database: sa.Engine
    members: Members
    races: Races
    codes: Codes
    tickets: Tickets


@dataclass(frozen=True)
class Filled:
    """A list that was filled: who requests it and how, and what identifies its items, in the order of the list."""

    items: list[Any]
    by: Member | None = None
    path: str | None = None
    query: dict[str, str] | None = None


def fill_races(world: World, count: int) -> Filled:
    """Races of which several begin at the same time; of these the newest one comes first."""
    world.races.remove_all()
    starts = [START + timedelta(days=number % 3) for number in range(count)]
    races = [(start, world.races.new(start_date=start, end_date=END)) for start in starts]
    return Filled([race_id for _, race_id in sorted(races, reverse=True)])


def fill_leaderboard(world: World, count: int) -> Filled:
    """Participants of whom several share a rank, and some have none; these come last."""
    race_id = world.races.new()
    names: list[tuple[int, int, str]] = []
    for number in range(count):
        member = world.members.new(seeds=False)
        rank = (None, 2, 1)[number % 3]
        participant_id = world.races.enter(race_id, member.id, rank=rank)
        names.append((rank or 3, participant_id, member.username))
    return Filled([name for *_, name in sorted(names)], path=f"/v1/races/{race_id}/leaderboard")


def fill_wager_leaderboard(world: World, count: int) -> Filled:
    """Members of whom several have wagered the same; of these the one with the lowest id comes first."""
    with world.database.connect() as connection:
        connection.execute(sa.delete(wager_accounts))
    wagered: list[tuple[Decimal, int]] = []
    for number in range(count):
        member = world.members.new(seeds=False)
        account: dict[str, Any] = {"uid": secrets.token_hex(8), "user_id": member.id, "read_at": NOON}
        figures = dict.fromkeys(("total_wager", "wager_today", "wager_week", "wager_month"), Decimal(number // 3 + 1))
        insert_row(world.database, wager_accounts, **account | figures)
        wagered.append((-figures["wager_today"], member.id))
    return Filled([member_id for _, member_id in sorted(wagered)], path="/v1/leaderboards/today")


def fill_statements(world: World, count: int) -> Filled:
    member = world.members.new(seeds=False)
    counted = {"wagered": Decimal(1), "spins": 1, "claims": 0, "rewards": Decimal(0), "races": [], "created_at": NOON}
    names = [f"{2000 + number // 12}-{number % 12 + 1:02}" for number in range(count)]
    for name in names:
        month = datetime.strptime(name, "%Y-%m").replace(tzinfo=UTC)
        insert_row(world.database, statements, user_id=member.id, month=month, **counted)
    return Filled(names[::-1], member)


def fill_codes(world: World, count: int) -> Filled:
    member = world.members.new()
    return Filled([world.codes.claimed(member.id, NOON) for _ in range(count)][::-1], member)


def fill_spins(world: World, count: int) -> Filled:
    member = world.members.new()
    spins = Spins(world.database)
    return Filled([spins.new(member.id, NOON + timedelta(days=day)) for day in range(count)][::-1], member)


def fill_seeds(world: World, count: int) -> Filled:
    member = world.members.new(seeds=False)
    spins = Spins(world.database)
    return Filled([spins.revealed_seed(member.id, NOON) for _ in range(count)][::-1], member)


def fill_batch(world: World, count: int) -> Filled:
    batch = world.codes.batch(count)
    with world.database.connect() as connection:
        ids = connection.scalars(sa.select(bonus_codes.c.id).where(bonus_codes.c.batch_id == batch))
        newest_first = sorted(ids, reverse=True)
    return Filled(newest_first, world.members.staff(), query={"batch_id": str(batch)})


def fill_archive(world: World, count: int) -> Filled:
    with world.database.connect() as connection:
        connection.execute(sa.delete(historical_races))
    ids = [world.races.archive(end_date=NOON + timedelta(days=number // 2)) for number in range(count)]
    return Filled(ids[::-1])


def fill_own_rewards(world: World, count: int) -> Filled:
    member = world.members.new(seeds=False)
    return Filled([ledger.reward(world.database, member.id, "1.00") for _ in range(count)][::-1], member)


def fill_subscriptions(world: World, count: int) -> Filled:
    given: dict[str, Any] = {"confirmed_at": NOON}
    ids = [
        insert_row(world.database, subscriptions, email=f"{secrets.token_hex(8)}@example.com", **given)
        for _ in range(count)
    ]
    with world.database.connect() as connection:
        connection.execute(sa.delete(subscriptions).where(subscriptions.c.id.not_in(ids)))
    return Filled(ids[::-1], world.members.staff())


def fill_rewards(world: World, count: int) -> Filled:
    own = fill_own_rewards(world, count)
    assert own.by is not None
    return Filled(own.items, world.members.staff(), query={"user_id": str(own.by.id)})


def fill_payouts(world: World, count: int) -> Filled:
    member = world.members.new(seeds=False)
    paid = [ledger.payout(world.database, member.id, "1.00") for _ in range(count)]
    return Filled(paid[::-1], world.members.staff(), query={"user_id": str(member.id)})


def fill_campaigns(world: World, count: int) -> Filled:
    campaigns = Campaigns(world.database)
    campaigns.clear()
    return Filled([campaigns.new(status="draft") for _ in range(count)][::-1], world.members.staff())


def fill_inbox(world: World, count: int) -> Filled:
    """Notifications of which every second one was queued late; a later due time comes first."""
    member = world.members.new()
    due = [NOON + timedelta(days=number % 2) for number in range(count)]
    notice = {"kind": "tier_reached", "payload": {"tier": "Gold", "reward": None}, "created_at": NOON}
    ids = [insert_row(world.database, notifications, user_id=member.id, due_at=at, **notice) for at in due]
    return Filled([item for _, item in sorted(zip(due, ids, strict=True), reverse=True)], member)


def fill_tickets(world: World, count: int) -> Filled:
    member = world.members.new()
    return Filled([world.tickets.new(member.id) for _ in range(count)][::-1], member)


def fill_queue(world: World, count: int) -> Filled:
    """Tickets of which every third waits for nobody; these come last."""
    member, staff = world.members.new(), world.members.staff()
    ids = [
        world.tickets.new(member.id, assignee_id=staff.id, created_at=NOON + timedelta(days=number % 2))
        for number in range(count)
    ]
    for ticket_id in ids[::3]:
        world.tickets.write(ticket_id, is_staff_reply=True)
    order = [(number % 3 == 0, 0 if number % 3 == 0 else number % 2, ticket_id) for number, ticket_id in enumerate(ids)]
    return Filled([ticket_id for *_, ticket_id in sorted(order)], staff, query={"assignee": str(staff.id)})


def fill_messages(world: World, count: int) -> Filled:
    member = world.members.new()
    ticket_id = world.tickets.new(member.id)
    return Filled([world.tickets.write(ticket_id) for _ in range(count)], member, f"/v1/tickets/{ticket_id}")


def fill_members(world: World, count: int) -> Filled:
    tag = secrets.token_hex(5)
    ids = [world.members.new(username=f"{tag}-{number:03}", seeds=False).id for number in range(count)]
    return Filled(ids, world.members.staff(), query={"q": tag})


def fill_links(world: World, count: int, *, decided: bool) -> Filled:
    staff = world.members.staff()
    decision = {"decision": "refused", "reason": "No.", "decided_by": staff.id, "decided_at": NOON} if decided else {}
    with world.database.connect() as connection:
        connection.execute(sa.delete(account_links))
    ids = []
    for _ in range(count):
        request = {"user_id": world.members.new(seeds=False).id, "uid": secrets.token_hex(8), "requested_at": NOON}
        ids.append(insert_row(world.database, account_links, **request | decision))
    return Filled(ids[::-1] if decided else ids, staff, query={"status": "decided" if decided else "pending"})


@dataclass(frozen=True)
class PagedList:
    """A list of the API.

    Parameters
    ----------
    fill: makes a list with as many items.
    key: the field of an item that identifies it.
    field: the field of the answer that is the page; None: the answer itself.
    beside: further fields of the page.
    """

    function: str
    fill: Callable[[World, int], Filled]
    key: str = "id"
    field: str | None = None
    beside: tuple[str, ...] = ()


LISTS = {
    "races": PagedList("list_races", fill_races),
    "past races": PagedList("list_past_races", fill_archive),
    "leaderboard": PagedList("get_leaderboard", fill_leaderboard, "username", beside=("as_of", "stale")),
    "leaderboard of wagers": PagedList(
        "get_wager_leaderboard", fill_wager_leaderboard, "user_id", beside=("as_of", "stale")
    ),
    "statements": PagedList("list_statements", fill_statements, "month"),
    "inbox": PagedList("list_notifications", fill_inbox, beside=("unread",)),
    "codes": PagedList("list_codes", fill_codes),
    "spins": PagedList("list_spins", fill_spins),
    "seeds": PagedList("list_seeds", fill_seeds),
    "issued codes": PagedList("list_issued_codes", fill_batch),
    "own rewards": PagedList("list_my_rewards", fill_own_rewards),
    "rewards": PagedList("list_rewards", fill_rewards),
    "payouts": PagedList("list_payouts", fill_payouts),
    "campaigns": PagedList("list_campaigns", fill_campaigns),
    "subscriptions": PagedList("list_subscriptions", fill_subscriptions),
    "tickets": PagedList("list_tickets", fill_tickets),
    "ticket queue": PagedList("list_ticket_queue", fill_queue),
    "messages": PagedList("get_ticket", fill_messages, field="messages"),
    "members": PagedList("list_members", fill_members),
    "pending links": PagedList("list_links", lambda world, count: fill_links(world, count, decided=False)),
    "decided links": PagedList("list_links", lambda world, count: fill_links(world, count, decided=True)),
}
each_list = pytest.mark.parametrize("paged", LISTS.values(), ids=LISTS)


@pytest.fixture
def world(database: sa.Engine, members: Members, races: Races, codes: Codes, tickets: Tickets) -> World:
    return World(database, members, races, codes, tickets)


def request(functions: Functions, paged: PagedList, filled: Filled, **query: str) -> Answer:
    wanted = (filled.query or {}) | query
    return functions.call(paged.function, by=filled.by, path=filled.path, query=wanted)


def get_page(functions: Functions, paged: PagedList, filled: Filled, **query: str) -> tuple[list[Any], str | None]:
    """The keys of a page's items, and the next page's cursor."""
    answer = request(functions, paged, filled, **query)
    assert answer.status == 200, answer.text
    page = answer.json[paged.field] if paged.field else answer.json
    assert page.keys() == {"items", "next_cursor", *paged.beside}
    return [item[paged.key] for item in page["items"]], page["next_cursor"]


def get_pages(functions: Functions, paged: PagedList, filled: Filled, limit: int) -> Iterator[list[Any]]:
    query = {"limit": str(limit)}
    for _ in range(len(filled.items) + 1):
        keys, cursor = get_page(functions, paged, filled, **query)
        yield keys
        if cursor is None:
            return
        query["cursor"] = cursor
    raise AssertionError("the list has more pages than items")


def move(cursor: str, *, to: int) -> str:
    """The cursor with another position in the same list."""
    mark, *numbers = base64.urlsafe_b64decode(cursor).decode().split(",")
    return base64.urlsafe_b64encode(",".join([mark, *(str(to) for _ in numbers)]).encode()).decode()


def assert_refused(answer: Answer, pointer: str) -> None:
    assert (answer.status, answer.json["code"]) == (422, "validation_failed"), answer.text
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


def paged_functions() -> set[str]:
    """The functions whose answer is a page or has one as a field, by the OpenAPI document."""
    document = json.loads((ROOT / "functions/operations/openapi.json").read_text())
    schemas = document["components"]["schemas"]
    pages = {name for name, schema in schemas.items() if "next_cursor" in schema.get("properties", {})}
    found = set()
    for methods in document["paths"].values():
        for operation in methods.values():
            text = json.dumps(operation.get("responses", {}).get("200", {}).get("content", {}))
            names = {name for name in schemas if f'"#/components/schemas/{name}"' in text}
            fields = json.dumps([schemas[name].get("properties", {}) for name in names])
            if names & pages or any(f'"#/components/schemas/{page}"' in fields for page in pages):
                found.add(operation["operationId"])
    return found


def test_every_list_of_the_api_is_tested() -> None:
    assert paged_functions() == {paged.function for paged in LISTS.values()}


@each_list
def test_pages_have_every_item_once_in_the_order_of_the_list(
    functions: Functions, world: World, paged: PagedList
) -> None:
    filled = paged.fill(world, 6)
    for limit in (1, 2, 3, 5, 6, 100):
        pages = list(get_pages(functions, paged, filled, limit))
        assert [key for page in pages for key in page] == filled.items, limit
        assert all(len(page) == limit for page in pages[:-1]), limit
        assert 0 < len(pages[-1]) <= limit


@each_list
def test_an_empty_list_is_one_empty_page(functions: Functions, world: World, paged: PagedList) -> None:
    assert get_page(functions, paged, paged.fill(world, 0)) == ([], None)


@each_list
def test_a_page_has_twenty_items_by_default(functions: Functions, world: World, paged: PagedList) -> None:
    filled = paged.fill(world, 21)
    keys, cursor = get_page(functions, paged, filled)
    assert keys == filled.items[:20]
    assert get_page(functions, paged, filled, cursor=str(cursor)) == (filled.items[20:], None)


@each_list
def test_an_invalid_limit_is_refused(functions: Functions, world: World, paged: PagedList) -> None:
    filled = paged.fill(world, 1)
    for limit in LIMITS:
        assert_refused(request(functions, paged, filled, limit=limit), "/limit")


@each_list
def test_an_invalid_cursor_is_refused(functions: Functions, world: World, paged: PagedList) -> None:
    filled = paged.fill(world, 2)
    _, cursor = get_page(functions, paged, filled, limit="1")
    assert cursor is not None
    without_position = base64.urlsafe_b64encode(base64.urlsafe_b64decode(cursor).partition(b",")[0]).decode()
    spoilt = [cursor + cursor, cursor.rstrip("=") + "====", f" {cursor}", cursor.lower(), without_position]
    for invalid in CURSORS + spoilt:
        assert_refused(request(functions, paged, filled, cursor=invalid), "/cursor")


@each_list
def test_a_position_beyond_all_items_is_no_error_of_the_server(
    functions: Functions, world: World, paged: PagedList
) -> None:
    filled = paged.fill(world, 2)
    _, cursor = get_page(functions, paged, filled, limit="1")
    for position in (10**18 - 1, 2**63 - 1, 2**31, 0, -(10**18) + 1, -(2**63)):
        answer = request(functions, paged, filled, cursor=move(str(cursor), to=position))
        if answer.status == 200:
            page = answer.json[paged.field] if paged.field else answer.json
            assert [item[paged.key] for item in page["items"]] in ([], filled.items)
        else:
            assert_refused(answer, "/cursor")


@each_list
def test_a_cursor_of_another_list_is_refused(functions: Functions, world: World, paged: PagedList) -> None:
    others = [other for other in LISTS.values() if other is not paged]
    cursors = [get_page(functions, other, other.fill(world, 2), limit="1")[1] for other in others]
    filled = paged.fill(world, 2)
    for cursor in cursors:
        assert_refused(request(functions, paged, filled, cursor=str(cursor)), "/cursor")
