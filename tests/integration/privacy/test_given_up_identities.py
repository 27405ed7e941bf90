"""An address or uid that an excluded member gives up keeps the exclusion, and gets each longer one of the member."""

import secrets
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from goatedvips import db
from goatedvips.domain.erased_identities import Kind, identity, remembered_exclusion
from goatedvips.domain.notifications import mailed_tokens
from goatedvips.models.accounts import account_links, erased_identities, users
from tests.support.erasure import erase
from tests.support.functions import Functions
from tests.support.lives import STORED
from tests.support.members import Member, Members

NOW = datetime.now(UTC)
END = NOW + timedelta(days=7)
FREE = (None, False)


def remembered(database: sa.Engine, kind: Kind, value: str) -> tuple[datetime | None, bool]:
    """The exclusion that the next owner of an address or uid gets."""
    with database.connect() as connection:
        until, permanently = connection.execute(remembered_exclusion(kind, sa.literal(value))).one()
    return until, permanently


def change_email(functions: Functions, member: Member, email: str = "") -> str:
    """Change the member's address by the mailed token; return the new one."""
    email = email or f"{secrets.token_hex(6)}@example.com"
    with db.transaction() as connection:
        token = mailed_tokens.make_for_change(
            connection, member.id, email, asked_at=datetime.now(UTC), now=datetime.now(UTC)
        )
    assert functions.call("verify_email", body={"token": token}).status == 200
    return email


def link(functions: Functions, database: sa.Engine, staff: Member, member: Member, uid: str) -> None:
    """Link a uid to the member by a request that staff approve."""
    with database.connect() as connection:
        request = sa.insert(account_links).values(user_id=member.id, uid=uid, requested_at=NOW)
        link_id = connection.execute(request.returning(account_links.c.id)).scalar_one()
    body = {"decision": "approved", "reason": "So."}
    path = f"/v1/admin/account-links/{link_id}/decision"
    assert functions.call("decide_link", by=staff, path=path, body=body).status == 200


def exclude(functions: Functions, member: Member, **body: object) -> None:
    assert functions.call("exclude_me", by=member, body=body, now=NOW).status == 201


def test_a_longer_exclusion_applies_to_all_that_the_member_gave_up_and_to_nothing_else(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    staff, uids = members.staff(), [f"uid-{secrets.token_hex(6)}" for _ in range(2)]
    member, other = members.new(uid=uids[0], excluded_until=END), members.new(excluded_until=END)
    emails = [member.email, change_email(functions, member)]
    emails.append(change_email(functions, member))
    link(functions, database, staff, member, uids[1])
    change_email(functions, other)

    def found() -> list[tuple[datetime | None, bool]]:
        given_up = [("email", emails[0]), ("email", emails[1]), ("uid", uids[0])]
        present = [("email", emails[2]), ("uid", uids[1]), ("email", other.email)]
        return [remembered(database, kind, value) for kind, value in given_up + present]  # type: ignore[arg-type]

    assert found() == [(END, False)] * 3 + [FREE, FREE, (END, False)]
    exclude(functions, member, days=30)
    assert found() == [(NOW + timedelta(days=30), False)] * 3 + [FREE, FREE, (END, False)]
    exclude(functions, member, permanent=True)
    assert found() == [(None, True)] * 3 + [FREE, FREE, (END, False)]


def test_an_exclusion_that_comes_with_a_new_address_or_uid_applies_to_the_old_ones(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    staff, uid = members.staff(), f"uid-{secrets.token_hex(6)}"
    permanently = members.new(uid=uid, excluded_permanently=True)
    change_email(functions, permanently)
    link(functions, database, staff, permanently, f"uid-{secrets.token_hex(6)}")
    by_email, by_uid = (members.new(uid=secrets.token_hex(6), excluded_until=END) for _ in range(2))
    own_uid = secrets.token_hex(6)
    members.change(by_uid, uid=own_uid)
    change_email(functions, by_uid)
    change_email(functions, by_email, permanently.email)
    link(functions, database, staff, by_uid, uid)
    assert remembered(database, "email", by_email.email) == (None, True)
    assert remembered(database, "email", by_uid.email) == (None, True)
    assert remembered(database, "uid", own_uid) == (None, True)


def test_what_was_given_up_keeps_its_exclusion_when_the_member_s_is_over(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    passed = NOW - timedelta(days=1)
    member = members.new(excluded_until=passed, excluded_since=passed - timedelta(days=1))
    change_email(functions, member)
    assert functions.call("end_exclusion", by=member, now=NOW).status == 204
    assert remembered(database, "email", member.email) == (passed, False)
    exclude(functions, member, days=1)
    assert remembered(database, "email", member.email) == (NOW + timedelta(days=1), False)


def test_an_erasure_leaves_no_reference_to_the_member(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    members.staff()
    member = members.new(password=STORED, excluded_until=END)
    new = change_email(functions, member)
    references = sa.select(sa.func.count()).where(erased_identities.c.given_up_by == member.id)
    with database.connect() as connection:
        assert connection.scalar(references) == 1
    assert erase(functions, member).status == 204
    with database.connect() as connection:
        assert connection.scalar(references) == 0
        connection.execute(sa.update(users).where(users.c.id == member.id).values(excluded_permanently=True))
    assert remembered(database, "email", member.email) == remembered(database, "email", new) == (END, False)


def test_an_erasure_of_the_next_owner_keeps_the_reference_to_who_gave_it_up(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    members.staff()
    member, owner = members.new(excluded_until=END), members.new(password=STORED)
    change_email(functions, member)
    change_email(functions, owner, member.email)
    assert erase(functions, owner).status == 204
    exclude(functions, member, permanent=True)
    assert remembered(database, "email", member.email) == (None, True)


def test_the_legacy_application_deletes_a_member_who_gave_an_address_up(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new(seeds=False, excluded_until=END)
    change_email(functions, member)
    with database.connect() as connection:
        connection.execute(sa.delete(users).where(users.c.id == member.id))
        kept = sa.select(erased_identities.c.given_up_by).where(
            erased_identities.c.identity == identity("email", sa.literal(member.email))
        )
        assert connection.execute(kept).scalar_one() is None
