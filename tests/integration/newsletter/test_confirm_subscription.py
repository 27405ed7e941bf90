"""The owner of an e-mail address confirms its subscription."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from goatedvips.domain.notifications import mailed_tokens
from goatedvips.domain.tokens import hash_token
from goatedvips.models.accounts import mailed_tokens as tokens
from goatedvips.models.newsletter import newsletter_subscriptions as subscriptions
from tests.integration.newsletter.test_subscribe import NOON, adopt, ask, fresh, rows
from tests.support.functions import Functions

MOMENT = timedelta(microseconds=1)
DAY = timedelta(hours=24)


def mailed(database: sa.Engine, subscription_id: int, now: datetime = NOON) -> str:
    """Make the token that the sender would mail."""
    with database.connect() as connection:
        token = mailed_tokens.make_for_subscription(connection, subscription_id, asked_at=now, now=now)
    assert token is not None
    return token


def pending(functions: Functions, database: sa.Engine) -> tuple[str, int]:
    email = fresh()
    ask(functions, email)
    return email, rows(database, email)[0].id


def test_the_mailed_token_begins_the_subscription(functions: Functions, database: sa.Engine) -> None:
    email, subscription_id = pending(functions, database)
    token = mailed(database, subscription_id)
    later = NOON + timedelta(minutes=5)
    answer = functions.call("confirm_subscription", body={"token": token}, now=later, address="2001:db8:1:2:3::4")
    assert (answer.status, answer.json) == (200, {"status": "subscribed", "email": email})
    (row,) = rows(database, email)
    assert (row.is_subscribed, row.confirmed_at, row.subscribed_at, row.unsubscribed_at) == (True, later, later, None)
    assert row.consent_address == "2001:db8:1:2::/64"


def test_a_token_works_once(functions: Functions, database: sa.Engine) -> None:
    email, subscription_id = pending(functions, database)
    token = mailed(database, subscription_id)
    functions.call("confirm_subscription", body={"token": token}, now=NOON)
    before = rows(database, email)
    again = functions.call("confirm_subscription", body={"token": token}, now=NOON + MOMENT)
    assert (again.status, again.json["code"]) == (404, "token_invalid")
    assert rows(database, email) == before


def test_a_token_works_for_24_hours(functions: Functions, database: sa.Engine) -> None:
    for age, status in ((DAY - MOMENT, 200), (DAY, 404)):
        email, subscription_id = pending(functions, database)
        token = mailed(database, subscription_id)
        assert functions.call("confirm_subscription", body={"token": token}, now=NOON + age).status == status
        assert rows(database, email)[0].is_subscribed is (status == 200)


def test_no_other_token_confirms_anything(functions: Functions, database: sa.Engine) -> None:
    email, subscription_id = pending(functions, database)
    token = mailed(database, subscription_id)
    with database.connect() as connection:
        digest = hash_token(token)
        connection.execute(sa.update(tokens).where(tokens.c.token_hash == digest).values(purpose="email_verification"))
    for wrong in (token, "", "x", token[:-1], "é" * 200, "' OR 1=1 --"):
        answer = functions.call("confirm_subscription", body={"token": wrong}, now=NOON)
        assert (answer.status, answer.json["code"]) == (404, "token_invalid"), wrong
    for raw in ("{}", '{"token": 1}', '{"token": "\\u0000"}', '{"token": "\\ud800"}', '{"token": "%s"}' % ("x" * 201)):
        assert functions.call("confirm_subscription", raw=raw).status == 422
    assert rows(database, email)[0].is_subscribed is False


def test_a_token_from_before_the_end_of_a_subscription_does_not_work(functions: Functions, database: sa.Engine) -> None:
    row = adopt(database, fresh(), is_subscribed=False)
    old = mailed(database, row.id, NOON)
    with database.connect() as connection:
        ended = {"is_subscribed": False, "unsubscribed_at": NOON + MOMENT}
        connection.execute(sa.update(subscriptions).where(subscriptions.c.id == row.id).values(ended))
    new = mailed(database, row.id, NOON + 2 * MOMENT)
    now = NOON + timedelta(minutes=1)
    assert functions.call("confirm_subscription", body={"token": old}, now=now).status == 404
    assert rows(database, row.email)[0].is_subscribed is False
    assert functions.call("confirm_subscription", body={"token": new}, now=now).status == 200
    (after,) = rows(database, row.email)
    assert (after.is_subscribed, after.unsubscribed_at) == (True, None)


def test_another_request_for_a_confirmed_address_has_no_effect(functions: Functions, database: sa.Engine) -> None:
    email, subscription_id = pending(functions, database)
    token = mailed(database, subscription_id)
    assert functions.call("confirm_subscription", body={"token": token}, now=NOON).status == 200
    before = rows(database, email)
    ask(functions, email, now=NOON + timedelta(days=9))
    assert rows(database, email) == before
