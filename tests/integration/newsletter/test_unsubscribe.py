"""Whoever has the token of a mail ends that mail, and can do nothing else with it."""

import base64
import hashlib
import hmac
import re
import secrets
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.notifications import unsubscribe_tokens
from goatedvips.domain.notifications.unsubscribe_tokens import LISTS, MailList
from goatedvips.models.newsletter import campaigns
from goatedvips.models.newsletter import newsletter_subscriptions as subscriptions
from goatedvips.models.notifications import notification_preferences as preferences
from goatedvips.models.notifications import notifications, outbox, unsubscribe_keys
from tests.integration.newsletter.test_confirm_subscription import mailed
from tests.integration.newsletter.test_subscribe import HOUR, MOMENT, NOON, adopt, ask, fresh, rows
from tests.support.functions import Answer, Functions, event
from tests.support.members import Members
from tests.support.rows import insert_row

HTML = {"accept": "text/html,application/xhtml+xml;q=0.9"}
MULTIPART = '--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
PREFERENCES = sorted(LISTS - {"newsletter"})


def token_for(database: sa.Engine, email: str, mail_list: MailList = "newsletter") -> str:
    with database.connect() as connection:
        return unsubscribe_tokens.sign(connection, mail_list, email)


def post(functions: Functions, token: str, **changes: Any) -> Answer:
    return functions.call("unsubscribe", query={"token": token}, **({"now": NOON} | changes))


def everything(database: sa.Engine) -> list[list[sa.Row[Any]]]:
    with database.connect() as connection:
        return [
            list(connection.execute(sa.select(table).order_by(table.c.id))) for table in (subscriptions, preferences)
        ]


def test_a_token_ends_the_newsletter_once_and_again(functions: Functions, database: sa.Engine) -> None:
    before = adopt(database, fresh())
    token = token_for(database, before.email.swapcase())
    for now in (NOON, NOON + HOUR):
        assert post(functions, token, now=now).status == 200
        (after,) = rows(database, before.email)
        assert (after.is_subscribed, after.unsubscribed_at) == (False, NOON)
        assert (after.id, after.subscribed_at, after.email) == (before.id, before.subscribed_at, before.email)


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        (None, ""),
        ("application/x-www-form-urlencoded", "List-Unsubscribe=One-Click"),
        ("application/x-www-form-urlencoded", "List-Unsubscribe=One-Click&token=another"),
        ("multipart/form-data; boundary=b", MULTIPART),
        ("application/json", '{"token": "another"}'),
        ("application/json", "{"),
        ("text/plain", "List-Unsubscribe=One-Click"),
        ("application/octet-stream", "\udcff"),
    ],
)
@pytest.mark.parametrize("is_base64", [False, True])
def test_a_body_has_no_meaning_whatever_its_form(
    functions: Functions, database: sa.Engine, media_type: str | None, body: str, is_base64: bool
) -> None:
    email = adopt(database, fresh()).email
    request = event("unsubscribe", query={"token": token_for(database, email)})
    octets = body.encode("utf-8", "surrogateescape")
    request["headers"].pop("content-type", None)
    if media_type:
        request["headers"]["content-type"] = media_type
    request["body"] = base64.b64encode(octets).decode() if is_base64 else octets.decode("utf-8", "replace")
    request["isBase64Encoded"] = is_base64
    for _ in range(2):
        assert functions.send("unsubscribe", request).status == 200
        assert rows(database, email)[0].is_subscribed is False


def test_a_body_that_is_too_large_is_refused(functions: Functions, database: sa.Engine) -> None:
    token = token_for(database, adopt(database, fresh()).email)
    assert post(functions, token, raw="x" * (64 * 1024 + 1)).status == 413


def test_what_the_inbox_would_show_later_goes_with_its_switch(
    functions: Functions, database: sa.Engine, members: Members
) -> None:
    member, other = members.new(seeds=False), members.new(seeds=False)
    kept, gone, elsewhere, due = (
        insert_row(database, notifications, user_id=user_id, kind=kind, created_at=NOON, due_at=due_at)
        for user_id, kind, due_at in (
            (member.id, "race_started", NOON + MOMENT),
            (member.id, "campaign", NOON + MOMENT),
            (other.id, "campaign", NOON + MOMENT),
            (member.id, "campaign", NOON),
        )
    )
    mail_lists: tuple[MailList, ...] = ("email_notifications", "promotional_offers")
    for mail_list in mail_lists:
        with database.connect() as connection:
            ids = sa.select(notifications.c.id).where(notifications.c.id.in_([kept, gone, elsewhere, due]))
            assert set(connection.scalars(ids)) == {kept, gone, elsewhere, due}
        assert post(functions, token_for(database, member.email, mail_list)).status == 200
    with database.connect() as connection:
        assert set(connection.scalars(ids)) == {kept, elsewhere, due}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("mail_list", sorted(LISTS))
def test_the_page_changes_nothing(
    functions: Functions, database: sa.Engine, members: Members, method: str, mail_list: MailList
) -> None:
    email = members.new(seeds=False).email
    adopt(database, email)
    before = everything(database)
    shown = post(functions, token_for(database, email, mail_list), method=method, headers=HTML)
    assert shown.status == 200
    assert shown.headers["Content-Type"] == "text/html; charset=utf-8"
    assert shown.headers["Cache-Control"] == "no-store"
    assert everything(database) == before
    if method == "HEAD":
        assert shown.text == ""
        return
    assert '<form method="post"><button>Unsubscribe</button></form>' in shown.text
    name, domain = email.split("@")
    assert f"{email[0]}•••@{domain[0]}•••.{domain.rpartition('.')[2]}" in shown.text
    assert name not in shown.text
    assert ("/v1/newsletter/subscriptions" in shown.text) == (mail_list == "newsletter")


def test_the_policy_lets_the_page_send_its_own_form_only(functions: Functions, database: sa.Engine) -> None:
    shown = post(functions, token_for(database, fresh()), method="GET", headers=HTML)
    policy = shown.headers["Content-Security-Policy"]
    assert "form-action 'self';" in policy
    assert "unsafe" not in policy
    (script,) = re.findall("<script>(.*?)</script>", shown.text, re.DOTALL)
    assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
    assert not re.search(r"\son\w+=|style=|src=|https?://|\$", shown.text)


def test_a_token_that_no_key_signed_is_refused(functions: Functions, database: sa.Engine) -> None:
    """Not for another address, another list, or any other use."""
    email, other = (adopt(database, fresh()).email for _ in range(2))
    mail_list, encoded, signature = token_for(database, email).split(".")
    of_other = base64.urlsafe_b64encode(other.encode()).decode().rstrip("=")
    wrong = [
        "",
        "x",
        f"{mail_list}.{of_other}.{signature}",
        f"promotional_offers.{encoded}.{signature}",
        f"push_notifications.{encoded}.{signature}",
        f"{mail_list}.{encoded}.{signature[:-1]}",
        f"{mail_list}.{encoded}.{signature[::-1]}",
        f"{mail_list}.{encoded}.",
        f"{mail_list}.{encoded}",
        f"{mail_list}.{encoded}.{signature}.{signature}",
        f"{mail_list}.=.{signature}",
        f"{mail_list}.é.{signature}",
        f"{mail_list}.AA.{signature}",
    ]
    before = everything(database)
    for token in wrong:
        for method in ("GET", "POST"):
            answer = post(functions, token, method=method)
            assert (answer.status, answer.json["code"]) == (404, "token_invalid"), token
            page = post(functions, token, method=method, headers=HTML)
            assert (page.status, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8"), token
    assert everything(database) == before
    confirm = functions.call("confirm_subscription", body={"token": token_for(database, email)}, now=NOON)
    assert confirm.json["code"] == "token_invalid"


def test_the_signature_is_an_hmac_and_an_older_key_still_verifies(functions: Functions, database: sa.Engine) -> None:
    email = adopt(database, fresh()).email
    old = token_for(database, email)
    with database.connect() as connection:
        owner = connection.execution_options(isolation_level="AUTOCOMMIT")
        for size in (32, 64, 80):
            key = secrets.token_bytes(size)
            key_id = owner.execute(sa.insert(unsubscribe_keys).values(key=key).returning(unsubscribe_keys.c.id))
            new = token_for(database, email)
            owner.execute(sa.delete(unsubscribe_keys).where(unsubscribe_keys.c.id == key_id.scalar_one()))
            message = f"unsubscribe:newsletter:{email}".encode()
            expected = base64.urlsafe_b64encode(hmac.digest(key, message, "sha256")).decode().rstrip("=")
            assert new == f"{old.rpartition('.')[0]}.{expected}"
            assert new != old
            assert post(functions, new).status == 404, "its key is gone"
        owner.execute(sa.insert(unsubscribe_keys).values(key=secrets.token_bytes(32)))
    assert token_for(database, email) != old
    assert post(functions, old).status == 200
    assert rows(database, email)[0].is_subscribed is False


def test_confirmation_tokens_from_before_are_void_and_a_new_one_works(
    functions: Functions, database: sa.Engine
) -> None:
    email = fresh()
    ask(functions, email)
    subscription_id = rows(database, email)[0].id
    before = mailed(database, subscription_id)
    token = token_for(database, email)
    assert post(functions, token, now=NOON + MOMENT).status == 200

    def confirm(confirmation: str) -> int:
        return functions.call("confirm_subscription", body={"token": confirmation}, now=NOON + 2 * HOUR).status

    assert confirm(before) == 404
    ask(functions, email, now=NOON + HOUR)
    waiting = mailed(database, subscription_id, NOON + HOUR)
    assert post(functions, token, now=NOON + HOUR + MOMENT).status == 200
    assert confirm(waiting) == 404, "unsubscribed again after it was asked for"
    assert confirm(mailed(database, subscription_id, NOON + HOUR + 2 * MOMENT)) == 200
    assert rows(database, email)[0].is_subscribed is True


def test_all_adopted_rows_of_an_address_end(functions: Functions, database: sa.Engine) -> None:
    email = fresh()
    for written in (email, email.lower(), email.upper()):
        adopt(database, written)
    assert post(functions, token_for(database, email)).status == 200
    assert [row.is_subscribed for row in rows(database, email)] == [False] * 3


@pytest.mark.parametrize("mail_list", PREFERENCES)
@pytest.mark.parametrize("has_row", [False, True])
def test_a_token_of_a_preference_turns_that_one_off(
    functions: Functions, database: sa.Engine, members: Members, mail_list: MailList, has_row: bool
) -> None:
    member, other = members.new(seeds=False), members.new(seeds=False)
    with database.connect() as connection:
        for user_id in (member.id, other.id) if has_row else ():
            consented = {"user_id": user_id, "promotional_consented_at": NOON - timedelta(days=9)}
            connection.execute(sa.insert(preferences).values(consented))
    adopt(database, member.email)
    before = everything(database)
    token = token_for(database, member.email, mail_list)
    for now in (NOON, NOON + HOUR):
        assert post(functions, token, now=now).status == 200
        after = everything(database)
        assert after[0] == before[0], "the newsletter is another list"
        (row,) = (row for row in after[1] if row.user_id == member.id)
        off = {mail_list} if has_row else {mail_list, "promotional_offers"}
        assert {name for name in PREFERENCES if not getattr(row, name)} == off
        assert row.push_notifications is True
        assert row.updated_at == NOON
        is_promotional = "promotional_offers" in off
        assert (row.promotional_consented_at is None) == is_promotional
        assert [row for row in after[1] if row.user_id != member.id] == [
            row for row in before[1] if row.user_id != member.id
        ]


def test_a_token_of_an_address_that_the_member_gave_up_ends_nothing(
    functions: Functions, database: sa.Engine, members: Members
) -> None:
    token = token_for(database, fresh(), "email_notifications")
    before = everything(database)
    assert post(functions, token).status == 200
    assert everything(database) == before


@pytest.mark.parametrize(("mail_list", "kind"), [("newsletter", "newsletter"), ("promotional_offers", "campaign")])
def test_the_last_mail_of_a_campaign_counts_as_unsubscribed(
    functions: Functions, database: sa.Engine, members: Members, mail_list: MailList, kind: str
) -> None:
    member = members.new(seeds=False)
    adopt(database, member.email)
    given = {"address": member.email, "created_at": NOON, "due_at": NOON, "kind": kind}
    ids = [
        insert_row(database, outbox, campaign_id=campaign(database), sent_at=sent_at, **given | changes)
        for sent_at, changes in (
            (NOON - HOUR, {}),
            (NOON - MOMENT, {}),
            (NOON, {"kind": "campaign" if kind == "newsletter" else "newsletter"}),
            (NOON, {"address": fresh()}),
            (None, {}),
        )
    ]
    token = token_for(database, member.email, mail_list)
    for now in (NOON, NOON + HOUR):
        assert post(functions, token, now=now).status == 200
        with database.connect() as connection:
            marked = sa.select(outbox.c.id, outbox.c.unsubscribed_at).where(outbox.c.unsubscribed_at.is_not(None))
            assert connection.execute(marked.where(outbox.c.id.in_(ids))).all() == [(ids[1], NOON)]


def campaign(database: sa.Engine) -> int:
    given = {"audience": "newsletter", "subject": "s", "body": "b", "html": "b", "plain_text": "b"}
    return insert_row(database, campaigns, created_at=NOON, updated_at=NOON, **given)
