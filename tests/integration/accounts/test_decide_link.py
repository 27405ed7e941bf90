"""Staff approve or refuse a member's request to link a casino account."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.erased_identities import identity
from goatedvips.models.accounts import account_links, erased_identities, users
from goatedvips.models.notifications import outbox
from goatedvips.models.operations import audit_log
from goatedvips.models.wagers import wager_accounts
from tests.support.credentials import compose_mail
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=2)
FIGURES = ("total_wager", "wager_today", "wager_week", "wager_month")
APPROVED: dict[str, Any] = {"decision": "approved"}
REFUSED: dict[str, Any] = {"decision": "refused", "reason": "Send us a screenshot."}


def new_uid() -> str:
    return f"uid-{secrets.token_hex(6)}"


def insert_request(database: sa.Engine, member: Member, uid: str, **columns: object) -> int:
    given = {"user_id": member.id, "uid": uid, "requested_at": NOON} | columns
    with database.connect() as connection:
        made = connection.execute(sa.insert(account_links).values(given).returning(account_links.c.id))
        return int(made.scalar_one())


def insert_wager_account(database: sa.Engine, uid: str, figures: tuple[str, ...]) -> None:
    given = {"uid": uid, "name": "Goat", "read_at": NOON} | dict(zip(FIGURES, figures, strict=True))
    with database.connect() as connection:
        connection.execute(sa.insert(wager_accounts).values(given))


def decide(functions: Functions, by: Member | None, link_id: object, body: Mapping[str, object] = APPROVED) -> Answer:
    path = f"/v1/admin/account-links/{link_id}/decision"
    return functions.call("decide_link", by=by, path=path, body=body, now=NOON)


def read_member(database: sa.Engine, member: Member) -> Any:
    with database.connect() as connection:
        return connection.execute(sa.select(users).where(users.c.id == member.id)).one()


def read_link(database: sa.Engine, link_id: int) -> Any:
    with database.connect() as connection:
        return connection.execute(sa.select(account_links).where(account_links.c.id == link_id)).one()


def mails(database: sa.Engine, member: Member) -> list[Any]:
    rows = sa.select(outbox).where(outbox.c.user_id == member.id, outbox.c.kind == "link_decided")
    with database.connect() as connection:
        return list(connection.execute(rows))


def assert_undecided(database: sa.Engine, link_id: int, member: Member) -> None:
    link, row = read_link(database, link_id), read_member(database, member)
    assert (link.decision, link.decided_at, link.decided_by, link.reason) == (None, None, None, None)
    assert (row.uid, row.verified) == (None, False)
    assert mails(database, member) == []
    recorded = sa.select(audit_log).where(audit_log.c.action == "decide_link", audit_log.c.subject_id == link_id)
    with database.connect() as connection:
        assert connection.execute(recorded).all() == []


def test_an_approval_sets_the_uid_and_the_totals_that_the_feed_reported(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    uid, staff, other = new_uid(), members.staff(), members.new()
    member = members.new(total_wager=Decimal(99), wager_today=Decimal(99))
    insert_wager_account(database, uid, ("1234567890.12345678", "0.1", "12.5", "40000"))
    link_id = insert_request(database, member, uid)
    answer = decide(functions, staff, link_id, APPROVED | {"reason": " They showed us. "})
    assert answer.status == 200
    assert answer.json == {
        "id": link_id,
        "user": {"id": member.id, "username": member.username},
        "uid": uid,
        "requested_at": "2026-05-01T12:00:00Z",
        "decision": "approved",
        "reason": "They showed us.",
        "decided_at": "2026-05-01T12:00:00Z",
        "decided_by": {"id": staff.id, "username": staff.username},
        "linked_uid": uid,
        "excluded": False,
        "uid_excluded": False,
        "other_requests": [],
        "taken_by": None,
        "casino_account": {
            "name": "Goat",
            "total_wager": "1234567890.12345678",
            "read_at": "2026-05-01T12:00:00Z",
        },
    }
    row = read_member(database, member)
    assert (row.uid, row.verified) == (uid, True)
    assert [getattr(row, figure) for figure in FIGURES] == [
        Decimal("1234567890.12345678"),
        Decimal("0.1"),
        Decimal("12.5"),
        Decimal(40000),
    ]
    assert (row.excluded_until, row.excluded_permanently) == (None, False)
    assert read_member(database, other).uid is None
    listed = functions.call("list_links", by=staff, query={"status": "decided", "limit": "100"}).json["items"]
    assert [link for link in listed if link["id"] == link_id] == [answer.json]


def test_a_refusal_changes_nothing_of_the_member_s(functions: Functions, members: Members, database: sa.Engine) -> None:
    uid = new_uid()
    member = members.new(total_wager=Decimal(5))
    insert_wager_account(database, uid, ("1", "1", "1", "1"))
    before = read_member(database, member)
    answer = decide(functions, members.staff(), insert_request(database, member, uid), REFUSED)
    assert (answer.status, answer.json["decision"], answer.json["reason"]) == (200, "refused", REFUSED["reason"])
    assert answer.json["linked_uid"] is None
    assert read_member(database, member) == before


def test_totals_of_a_uid_unknown_to_the_feed_stay_unless_the_member_had_another_uid(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    staff, uid = members.staff(), new_uid()
    figures: dict[str, Any] = dict.fromkeys(FIGURES, Decimal(7))
    adopted = members.new(uid=uid, **figures)
    decide(functions, staff, insert_request(database, adopted, uid))
    row = read_member(database, adopted)
    assert (row.verified, {getattr(row, figure) for figure in FIGURES}) == (True, {Decimal(7)})
    changed = members.new(uid=new_uid(), verified=True, **figures)
    decide(functions, staff, insert_request(database, changed, newer := new_uid()))
    row = read_member(database, changed)
    assert (row.uid, {getattr(row, figure) for figure in FIGURES}) == (newer, {Decimal(0)})


def test_a_uid_that_another_member_has_is_not_given_away(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    uid, staff, member = new_uid(), members.staff(), members.new()
    holder = members.new(uid=uid)
    link_id = insert_request(database, member, uid)
    answer = decide(functions, staff, link_id)
    assert (answer.status, answer.json["code"]) == (409, "uid_taken")
    assert_undecided(database, link_id, member)
    assert read_member(database, holder).uid == uid
    assert decide(functions, staff, link_id, REFUSED).status == 200


def test_a_request_is_decided_once(functions: Functions, members: Members, database: sa.Engine) -> None:
    for first, second in ((APPROVED, REFUSED), (REFUSED, APPROVED), (APPROVED, APPROVED)):
        staff, member = members.staff(), members.new()
        link_id = insert_request(database, member, new_uid())
        assert decide(functions, staff, link_id, first).status == 200
        before = read_link(database, link_id), read_member(database, member)
        answer = decide(functions, staff, link_id, second)
        assert (answer.status, answer.json["code"]) == (409, "link_decided")
        assert answer.json["decision"] == first["decision"]
        assert (read_link(database, link_id), read_member(database, member)) == before
        assert len(mails(database, member)) == 1


def test_nobody_decides_their_own_request(functions: Functions, members: Members, database: sa.Engine) -> None:
    staff = members.staff()
    link_id = insert_request(database, staff, new_uid())
    for body in (APPROVED, REFUSED):
        answer = decide(functions, staff, link_id, body)
        assert (answer.status, answer.json["code"]) == (403, "own_rights")
    assert_undecided(database, link_id, staff)
    assert decide(functions, members.staff(), link_id).status == 200


@pytest.mark.parametrize("link_id", [2**31 - 1, 2**31, 0, -1, "one"])
def test_an_unknown_request_is_not_found(functions: Functions, members: Members, link_id: object) -> None:
    assert decide(functions, members.staff(), link_id).status == 404


def test_nothing_is_decided_for_an_erased_member(functions: Functions, members: Members, database: sa.Engine) -> None:
    member = members.new()
    members.change(member, erased_at=NOON)
    link_id = insert_request(database, member, new_uid())
    for body in (APPROVED, REFUSED):
        assert decide(functions, members.staff(), link_id, body).status == 404
    assert_undecided(database, link_id, member)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/decision"),
        ({"decision": "pending"}, "/decision"),
        ({"decision": True, "reason": "So."}, "/decision"),
        ({"decision": "refused"}, "/reason"),
        ({"decision": "refused", "reason": None}, "/reason"),
        ({"decision": "refused", "reason": "  \n"}, "/reason"),
        ({"decision": "approved", "reason": ""}, "/reason"),
        ({"decision": "approved", "reason": "x" * 10_001}, "/reason"),
        ({"decision": "approved", "reason": "a\x00b"}, "/reason"),
        ({"decision": "approved", "reason": "a\ud800b"}, "/reason"),
        ({"decision": "approved", "reason": 7}, "/reason"),
        ({"decision": "approved", "uid": "another"}, "/uid"),
    ],
)
def test_an_invalid_body_is_refused(
    functions: Functions, members: Members, database: sa.Engine, body: dict[str, object], pointer: str
) -> None:
    member = members.new()
    link_id = insert_request(database, member, new_uid())
    answer = decide(functions, members.staff(), link_id, body)
    assert (answer.status, [error["pointer"] for error in answer.json["errors"]]) == (422, [pointer])
    assert_undecided(database, link_id, member)


def test_only_members_who_are_staff_in_the_database_decide(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new()
    link_id = insert_request(database, member, new_uid())
    demoted, suspended, ended = members.staff(), members.staff(suspended_at=NOON), members.staff()
    members.change(demoted, is_admin=False)
    members.end_session(ended)
    for by, code in (
        (None, "unauthenticated"),
        (member, "forbidden"),
        (demoted, "forbidden"),
        (suspended, "account_suspended"),
        (ended, "unauthenticated"),
    ):
        assert decide(functions, by, link_id).json["code"] == code
    assert_undecided(database, link_id, member)


@pytest.mark.parametrize(
    ("exclusion", "remembered_exclusion", "expected"),
    [
        ((None, False), (LATER, False), (LATER, False)),
        ((NOON, False), (LATER, False), (LATER, False)),
        ((LATER, False), (NOON, False), (LATER, False)),
        ((LATER, False), (None, False), (LATER, False)),
        ((None, False), (NOON - timedelta(days=9), False), (NOON - timedelta(days=9), False)),
        ((LATER, False), (None, True), (None, True)),
        ((None, True), (LATER, False), (None, True)),
        ((None, False), (None, False), (None, False)),
    ],
)
def test_an_erased_member_s_exclusion_comes_back_with_the_uid(
    functions: Functions,
    members: Members,
    database: sa.Engine,
    exclusion: tuple[datetime | None, bool],
    remembered_exclusion: tuple[datetime | None, bool],
    expected: tuple[datetime | None, bool],
) -> None:
    uid = new_uid()
    member = members.new(excluded_until=exclusion[0], excluded_permanently=exclusion[1])
    with database.connect() as connection:
        for value, (until, permanently) in ((uid, remembered_exclusion), (new_uid(), (None, True))):
            columns = {"erased_at": NOON, "excluded_until": until, "excluded_permanently": permanently}
            remembered = identity("uid", sa.literal(value))
            connection.execute(sa.insert(erased_identities).values(columns | {"identity": remembered}))
    staff = members.staff()
    refused = insert_request(database, member, uid)
    assert decide(functions, staff, refused, REFUSED).status == 200
    row = read_member(database, member)
    assert (row.excluded_until, row.excluded_permanently) == exclusion, "a refusal brings nothing"
    assert decide(functions, staff, insert_request(database, member, uid)).status == 200
    row = read_member(database, member)
    assert (row.excluded_until, row.excluded_permanently) == expected
    assert row.excluded_since is None, "what was remembered began before all races"


def test_an_exclusion_holds_for_whoever_links_the_uid_that_an_excluded_member_gives_up(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    staff, old, other_old = members.staff(), new_uid(), new_uid()
    excluded = members.new(uid=old, verified=True, excluded_until=LATER)
    free = members.new(uid=other_old, verified=True)
    for member in (excluded, free):
        assert decide(functions, staff, insert_request(database, member, new_uid())).status == 200
    for uid, until in ((old, LATER), (other_old, None)):
        follower = members.new()
        answer = decide(functions, staff, insert_request(database, follower, uid))
        assert (answer.status, answer.json["excluded"]) == (200, until is not None)
        assert read_member(database, follower).excluded_until == until


def test_a_uid_moves_from_a_shell_to_the_member_who_is_approved(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    staff, member, uid = members.staff(), members.new(), new_uid()
    shell = members.shell(uid)
    assert read_member(database, shell).is_shell
    refused = insert_request(database, member, uid)
    assert decide(functions, staff, refused, REFUSED).json["taken_by"] is None
    assert read_member(database, shell).uid == uid
    link_id = insert_request(database, member, uid)
    assert decide(functions, staff, link_id).status == 200
    assert (read_member(database, shell).uid, read_member(database, member).uid) == (None, uid)
    entry = sa.select(audit_log).where(audit_log.c.action == "release_shell_uid", audit_log.c.subject_id == shell.id)
    with database.connect() as connection:
        recorded = connection.execute(entry).one()
    assert (recorded.staff_id, recorded.after) == (staff.id, {"id": shell.id, "link_id": link_id})


def test_a_shell_keeps_its_uid_if_the_approval_is_refused(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    uid = new_uid()
    shell, staff = members.shell(uid), members.staff()
    own_request, erased = insert_request(database, staff, uid), members.new(erased_at=NOON)
    assert decide(functions, staff, own_request).json["code"] == "own_rights"
    assert decide(functions, members.new(), own_request).status == 403
    assert decide(functions, members.staff(), insert_request(database, erased, uid)).status == 404
    assert read_member(database, shell).uid == uid


def test_a_refusal_or_the_same_uid_again_remembers_nothing(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    staff, old, new = members.staff(), new_uid(), new_uid()
    member = members.new(uid=old, excluded_until=LATER)
    assert decide(functions, staff, insert_request(database, member, old)).status == 200
    assert decide(functions, staff, insert_request(database, member, new), REFUSED).status == 200
    with database.connect() as connection:
        for uid in (old, new):
            found = sa.select(erased_identities).where(erased_identities.c.identity == identity("uid", sa.literal(uid)))
            assert connection.execute(found).all() == []


def test_a_decision_is_recorded_in_the_audit_log(functions: Functions, members: Members, database: sa.Engine) -> None:
    staff, uid, old = members.staff(), new_uid(), new_uid()
    member = members.new(uid=old, verified=True)
    link_id = insert_request(database, member, uid)
    decide(functions, staff, link_id, APPROVED | {"reason": "They showed us."})
    recorded = sa.select(audit_log).where(audit_log.c.action == "decide_link", audit_log.c.subject_id == link_id)
    with database.connect() as connection:
        row = connection.execute(recorded).one()
    assert (row.staff_id, row.created_at) == (staff.id, NOON)
    assert row.request_id
    assert row.before == {"decision": None, "reason": None, "linked_uid": old}
    assert row.after == {"decision": "approved", "reason": "They showed us.", "linked_uid": uid}


def test_the_member_is_notified_by_mail(functions: Functions, members: Members, database: sa.Engine) -> None:
    for body, phrase in ((APPROVED, "is linked"), (REFUSED, "was not linked")):
        member, uid = members.new(), new_uid()
        decide(functions, members.staff(), insert_request(database, member, uid), body)
        (mail,) = mails(database, member)
        assert (mail.address, mail.due_at, mail.sent_at) == (member.email, NOON, None)
        assert not any(text in str(mail.payload) for text in (uid, "screenshot"))
        message = compose_mail(database, mail)
        assert message is not None
        assert message.to == member.email
        assert phrase in message.subject
        assert uid in message.text
        assert ("Our reason: Send us a screenshot." in message.text) == (body is REFUSED)


def test_no_mail_goes_to_an_unverified_or_former_e_mail_address(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    for unproved in (False, None):
        member = members.new(email_verified=unproved)
        assert decide(functions, members.staff(), insert_request(database, member, new_uid())).status == 200
        (mail,) = mails(database, member)
        assert compose_mail(database, mail) is None
    member, elsewhere = members.new(), f"{secrets.token_hex(8)}@example.com"
    decide(functions, members.staff(), insert_request(database, member, new_uid()))
    (mail,) = mails(database, member)
    assert compose_mail(database, mail) is not None
    members.change(member, email=elsewhere, email_key=elsewhere)
    assert compose_mail(database, mail) is None
