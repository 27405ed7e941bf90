"""One request a member, one decision a request and one member a uid, however many come at once."""

import secrets
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import sqlalchemy as sa

from goatedvips.domain.access import Caller
from goatedvips.domain.accounts import link_decisions as decisions
from goatedvips.domain.accounts import links as requests
from goatedvips.domain.accounts.link_requests import Link
from goatedvips.errors import LinkDecided, LinkPending, UidTaken
from goatedvips.models.accounts import account_links, users
from goatedvips.models.notifications import outbox
from goatedvips.models.operations import audit_log
from tests.concurrency.together import at_once, at_once_behind
from tests.support.members import Member, Members

NOW = datetime.now(UTC)


def caller(member: Member) -> Caller:
    return Caller(member.id, member.session_id, "test")


def insert_request(database: sa.Engine, member: Member, uid: str) -> int:
    given = {"user_id": member.id, "uid": uid, "requested_at": NOW}
    with database.connect() as connection:
        made = connection.execute(sa.insert(account_links).values(given).returning(account_links.c.id))
        return int(made.scalar_one())


def deciding(staff: Member, link_id: int, decision: decisions.Decision) -> Callable[[sa.Connection], Link]:
    return partial(decisions.decide, caller=caller(staff), link_id=link_id, decision=decision, reason="So.", now=NOW)


def test_twenty_requests_at_once_are_one(direct: str, members: Members, database: sa.Engine) -> None:
    member = members.new()
    works: list[Callable[[sa.Connection], requests.LinkRequest]] = [
        partial(requests.request_link, caller=caller(member), uid=f"uid-{number}-{secrets.token_hex(4)}", now=NOW)
        for number in range(20)
    ]
    row = sa.select(users.c.id).where(users.c.id == member.id)  # which each new request refers to
    results = at_once_behind(database, row, direct, works)
    refused = [result for result in results if isinstance(result, LinkPending)]
    assert len(refused) == 19, results
    with database.connect() as connection:
        assert len(connection.execute(sa.select(account_links).where(account_links.c.user_id == member.id)).all()) == 1


def test_ten_staff_at_once_decide_once(direct: str, members: Members, database: sa.Engine) -> None:
    member, uid = members.new(), f"uid-{secrets.token_hex(6)}"
    link_id = insert_request(database, member, uid)
    works = [deciding(members.staff(), link_id, "refused" if number % 2 else "approved") for number in range(10)]
    row = sa.select(account_links.c.id).where(account_links.c.id == link_id)
    results = at_once_behind(database, row, direct, works)
    assert Counter(type(result) for result in results) == {Link: 1, LinkDecided: 9}, results
    (link,) = (result for result in results if isinstance(result, Link))
    assert {result.members["decision"] for result in results if isinstance(result, LinkDecided)} == {link.decision}
    with database.connect() as connection:
        row_of_member = connection.execute(
            sa.select(users.c.uid, users.c.verified).where(users.c.id == member.id)
        ).one()
        assert row_of_member == ((uid, True) if link.decision == "approved" else (None, False))
        recorded = sa.select(audit_log).where(audit_log.c.action == "decide_link", audit_log.c.subject_id == link_id)
        assert len(connection.execute(recorded).all()) == 1
        assert len(connection.execute(sa.select(outbox).where(outbox.c.user_id == member.id)).all()) == 1


def test_ten_approvals_of_one_uid_at_once_give_it_to_one_member(
    direct: str, members: Members, database: sa.Engine
) -> None:
    uid, staff = f"uid-{secrets.token_hex(6)}", members.staff()
    asking = [members.new(seeds=False) for _ in range(10)]
    links = [insert_request(database, member, uid) for member in asking]
    results = at_once(direct, [deciding(staff, link_id, "approved") for link_id in links])
    assert Counter(type(result) for result in results) == {Link: 1, UidTaken: 9}, results
    with database.connect() as connection:
        assert len(connection.execute(sa.select(users.c.id).where(users.c.uid == uid)).all()) == 1
        decided = sa.select(account_links.c.id).where(account_links.c.uid == uid, account_links.c.decision.is_not(None))
        assert len(connection.execute(decided).all()) == 1


def test_two_approvals_that_both_found_the_uid_free_give_it_to_one_member(
    direct: str, members: Members, database: sa.Engine
) -> None:
    """Neither transaction sees the other's link, so only the unique constraint on the uid decides."""
    uid, staff = f"uid-{secrets.token_hex(6)}", members.staff()
    links = [insert_request(database, members.new(seeds=False), uid) for _ in range(2)]
    row = sa.select(users.c.id).where(users.c.id == staff.id)  # whom a decision refers to, once it is written
    results = at_once_behind(database, row, direct, [deciding(staff, link_id, "approved") for link_id in links])
    assert Counter(type(result) for result in results) == {Link: 1, UidTaken: 1}, results
    decided = sa.select(account_links.c.id).where(account_links.c.uid == uid, account_links.c.decision.is_not(None))
    with database.connect() as connection:
        assert len(connection.execute(decided).all()) == 1
