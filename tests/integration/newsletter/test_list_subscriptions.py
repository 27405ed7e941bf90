"""GET /v1/admin/newsletter/subscriptions: staff list subscriptions."""

import csv
import io
from datetime import timedelta

import pytest
import sqlalchemy as sa

from goatedvips.domain.notifications import unsubscribe_tokens
from goatedvips.models.newsletter import newsletter_subscriptions as subscriptions
from tests.integration.newsletter.test_confirm_subscription import mailed
from tests.integration.newsletter.test_subscribe import NOON, adopt, ask, fresh, rows
from tests.support.functions import Functions
from tests.support.members import Members

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def no_subscriptions(database: sa.Engine) -> None:
    with database.connect() as connection:
        connection.execute(sa.delete(subscriptions))


def test_staff_see_the_state_and_the_evidence_of_each_subscription(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    adopted, ended = adopt(database, fresh()), adopt(database, fresh(), is_subscribed=False, source="=cmd()")
    confirmed, unsubscribed, pending = fresh(), fresh(), fresh()
    for email in (confirmed, unsubscribed, pending):
        ask(functions, email, source="footer")
    for email in (confirmed, unsubscribed):
        body = {"token": mailed(database, rows(database, email)[0].id)}
        functions.call("confirm_subscription", body=body, now=NOON + MINUTE, address="203.0.113.7")
    with database.connect() as connection:
        token = unsubscribe_tokens.sign(connection, "newsletter", unsubscribed)
    functions.call("unsubscribe", query={"token": token}, now=NOON + 2 * MINUTE)

    answer = functions.call("list_subscriptions", by=members.staff(), query={"limit": "100"})
    assert answer.status == 200
    items = answer.json["items"]
    emails = [pending, unsubscribed, confirmed, ended.email, adopted.email]
    states = ["pending", "unsubscribed", "subscribed", "unsubscribed", "subscribed"]
    assert [(item["email"], item["state"]) for item in items] == list(zip(emails, states, strict=True))
    assert items[2] == {
        "id": rows(database, confirmed)[0].id,
        "email": confirmed,
        "state": "subscribed",
        "source": "footer",
        "subscribed_at": "2026-05-01T12:01:00Z",
        "confirmed_at": "2026-05-01T12:01:00Z",
        "consent_network": "203.0.113.7",
        "unsubscribed_at": None,
    }
    assert items[1]["unsubscribed_at"] == "2026-05-01T12:02:00Z"

    file = functions.call("list_subscriptions", by=members.staff(), query={"format": "csv"})
    assert file.headers["Content-Type"] == "text/csv; charset=utf-8"
    lines = list(csv.DictReader(io.StringIO(file.text)))
    assert [(line["email"], line["state"]) for line in lines] == list(zip(emails, states, strict=True))
    assert lines[3]["source"] == "'=cmd()"


def test_only_staff_may_list_them(members: Members, functions: Functions) -> None:
    assert functions.call("list_subscriptions", by=members.new(seeds=False)).json["code"] == "forbidden"
    assert functions.call("list_subscriptions").status == 401
    refused = functions.call("list_subscriptions", by=members.staff(), query={"cursor": "x"})
    assert refused.json["errors"][0]["pointer"] == "/cursor"
