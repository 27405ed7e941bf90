"""An exclusion survives an erasure: it holds for whoever comes back with the same e-mail address or uid."""

import secrets
import unicodedata
from copy import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.config import settings
from goatedvips.http import api
from goatedvips.models.every import (
    accounts,
)
from tests.support.erasure import erase, register, row
from tests.support.functions import Functions
from tests.support.lives import STORED, Life
from tests.support.members import Members

users = accounts.users


def test_username_and_e_mail_are_free_again_without_an_exclusion(
    functions: Functions, life: Life, database: sa.Engine
) -> None:
    assert erase(functions, life.member).status == 204
    again = register(functions, username=life.member.username, email=life.member.email)
    assert again.status == 201
    account = row(database, users, again.json["id"])
    assert account.id != life.member.id
    assert (account.excluded_until, account.excluded_permanently) == (None, False)


@pytest.mark.parametrize(
    ("excluded_until", "permanently"),
    [(datetime(2099, 1, 1, tzinfo=UTC), False), (None, True), (datetime(2020, 1, 1, tzinfo=UTC), False)],
    ids=["until", "for good", "passed and not ended"],
)
@pytest.mark.parametrize("spelling", [str, str.upper, str.lower], ids=["as is", "upper", "lower"])
def test_an_exclusion_holds_for_whoever_registers_with_the_e_mail_again(
    functions: Functions,
    members: Members,
    database: sa.Engine,
    excluded_until: datetime | None,
    permanently: bool,
    spelling: Any,
) -> None:
    members.staff()
    member = members.new(password=STORED, excluded_until=excluded_until, excluded_permanently=permanently)
    assert erase(functions, member).status == 204
    again = register(functions, email=spelling(member.email))
    account = row(database, users, again.json["id"])
    assert (account.excluded_until, account.excluded_permanently) == (excluded_until, permanently)
    members.change(replace(member, id=account.id), email_verified=True)
    session = members.new()
    with database.connect() as connection:
        connection.execute(
            sa.update(accounts.sessions).where(accounts.sessions.c.id == session.session_id).values(user_id=account.id)
        )
    spin = functions.call("spin_wheel", by=replace(session, id=account.id), body={})
    assert spin.json["code"] == "self_excluded"


def test_an_adopted_e_mail_in_nfd_is_remembered_in_nfc(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    members.staff()
    tail = secrets.token_hex(6)
    decomposed = unicodedata.normalize("NFD", f"ziége-{tail}@example.com")
    assert decomposed != unicodedata.normalize("NFC", decomposed)
    member = members.new(email=decomposed, email_key=decomposed, password=STORED, excluded_permanently=True)
    assert erase(functions, member).status == 204
    remembered = accounts.erased_identities
    with database.connect() as connection:
        composed = sa.func.identity_hash("email", unicodedata.normalize("NFC", decomposed))
        found = sa.select(remembered.c.excluded_permanently).where(remembered.c.identity == composed)
        assert connection.scalar(found) is True


def test_the_stricter_exclusion_of_two_erasures_is_remembered(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    members.staff()
    later, sooner = datetime(2099, 1, 1, tzinfo=UTC), datetime(2098, 1, 1, tzinfo=UTC)
    email = f"{secrets.token_hex(8)}@example.com"
    for until, for_good in ((later, False), (sooner, True), (sooner, False)):
        member = members.new(
            email=email, email_key=email, password=STORED, excluded_until=until, excluded_permanently=for_good
        )
        assert erase(functions, member).status == 204
    account = row(database, users, register(functions, email=email).json["id"])
    assert (account.excluded_until, account.excluded_permanently) == (None, True)


def test_a_uid_is_always_remembered_and_an_e_mail_only_with_an_exclusion(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    members.staff()

    def remembered() -> int:
        with database.connect() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(accounts.erased_identities)).scalar_one()

    before = remembered()
    assert erase(functions, members.new(password=STORED)).status == 204
    assert remembered() == before
    assert erase(functions, members.new(password=STORED, uid=secrets.token_hex(8))).status == 204
    assert remembered() == before + 1


def test_an_exclusion_comes_back_with_the_uid(functions: Functions, members: Members, database: sa.Engine) -> None:
    staff, uid = members.staff(), f"uid-{secrets.token_hex(6)}"
    until = datetime.now(UTC) + timedelta(days=100)
    member = members.new(password=STORED, uid=uid, excluded_until=until)
    assert erase(functions, member).status == 204
    other = members.new()
    assert functions.call("link_account", by=other, body={"uid": uid}).status == 202
    with database.connect() as connection:
        links = accounts.account_links
        link = connection.execute(sa.select(links.c.id).where(links.c.user_id == other.id)).scalar_one()
    path = f"/v1/admin/account-links/{link}/decision"
    assert functions.call("decide_link", by=staff, path=path, body={"decision": "approved"}).status == 200
    assert row(database, users, other.id).excluded_until == until


@pytest.mark.parametrize(("proved", "required"), [(True, True), (True, False), (False, False), (False, True)])
def test_an_exclusion_is_remembered_for_an_e_mail_that_allowed_its_member_to_play(
    functions: Functions,
    members: Members,
    database: sa.Engine,
    monkeypatch: pytest.MonkeyPatch,
    proved: bool,
    required: bool,
) -> None:
    """A stranger who registers with an address cannot exclude it from play where play needs a verified address."""
    members.staff()
    monkeypatch.setattr(api, "settings", replace(settings, verified_email_required=required))
    email = f"{secrets.token_hex(8)}@example.com"
    given: dict[str, Any] = {"email": email, "email_key": email, "password": STORED, "email_verified": proved}
    assert erase(functions, members.new(**given, excluded_permanently=True)).status == 204
    again = register(functions, email=email)
    assert row(database, users, again.json["id"]).excluded_permanently is (proved or not required)
