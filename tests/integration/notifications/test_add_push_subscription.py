"""POST /v1/me/push-subscriptions: browsers in which members want push messages."""

import base64
import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain import attempts
from goatedvips.models.notifications import push_subscriptions
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
# The browser's keys of the example in RFC 8291, appendix A.
P256DH = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
KEYS = {"p256dh": P256DH, "auth": AUTH}


def endpoint(member: Member, name: object = "") -> str:
    return f"https://updates.push.services.mozilla.com/wpush/v2/{member.id}-{name}"


def add(functions: Functions, by: Member | None, url: str, now: datetime = NOON, **changes: object) -> Answer:
    body = {"endpoint": url, "keys": KEYS} | changes
    return functions.call("add_push_subscription", by=by, body=body, now=now)


def rows(database: sa.Engine, member: Member) -> list[Any]:
    with database.connect() as connection:
        mine = sa.select(push_subscriptions).where(push_subscriptions.c.user_id == member.id)
        return list(connection.execute(mine.order_by(push_subscriptions.c.id)))


def test_a_subscription_is_added_and_exported_without_its_keys(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new()
    answer = add(functions, member, endpoint(member), expirationTime=None)
    (row,) = rows(database, member)
    assert answer.status == 201
    assert answer.json == {"id": row.id, "endpoint": endpoint(member), "created_at": "2026-05-01T12:00:00Z"}
    assert (row.p256dh, row.auth, row.failures) == (P256DH, AUTH, 0)
    answer = functions.call("export_me", by=member)
    exported = gzip.decompress(base64.b64decode(answer.text)).decode()
    assert [entry["endpoint"] for entry in json.loads(exported)["push_subscriptions"]] == [endpoint(member)]
    assert P256DH not in exported
    assert AUTH not in exported


@pytest.mark.parametrize(
    "url",
    [
        "https://fcm.googleapis.com/fcm/send/c4Xq:APA91b-_",
        "https://updates.push.services.mozilla.com/wpush/v2/gAAAA",
        "https://web.push.apple.com/QGuQyavX",
        "https://wns2-par02p.notify.windows.com/w/?token=BQYAAAB%2bQ",
    ],
)
def test_each_known_push_service_is_accepted(functions: Functions, members: Members, url: str) -> None:
    assert add(functions, members.new(), url).json["endpoint"] == url


def test_an_endpoint_that_is_added_again_moves_to_the_present_member(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    first, second = members.new(), members.new()
    add(functions, first, endpoint(first))
    with database.connect() as connection:
        connection.execute(
            sa.update(push_subscriptions)
            .where(push_subscriptions.c.user_id == first.id)
            .values(failures=9, last_success_at=NOON)
        )
    with_port = endpoint(first).replace(".com/", ".com:443/")
    padded = {"p256dh": P256DH + "=", "auth": AUTH + "=="}
    answer = add(functions, second, with_port, now=NOON + timedelta(hours=1), keys=padded)
    assert answer.status == 201
    assert rows(database, first) == []
    (row,) = rows(database, second)
    assert (row.endpoint, row.failures, row.last_success_at) == (endpoint(first), 0, None)
    assert (row.p256dh, row.auth) == (P256DH, AUTH)


def test_a_member_has_at_most_20_even_if_they_are_added_at_once(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new()
    for number in range(19):
        assert add(functions, member, endpoint(member, number)).status == 201
    twentieth = {"user_id": member.id, "endpoint": endpoint(member, "first"), "created_at": NOON} | KEYS
    with ThreadPoolExecutor(1) as pool, database.connect() as connection:
        with connection.execution_options(isolation_level="READ COMMITTED").begin():
            connection.execute(sa.select(attempts.ATTEMPT_LOCK), {"lock_name": f"push:{member.id}"})
            connection.execute(sa.insert(push_subscriptions).values(twentieth))
            second = pool.submit(add, functions, member, endpoint(member, "second"))
            with pytest.raises(TimeoutError):
                second.result(0.3)
        refused = second.result()
    assert (refused.status, refused.json["code"]) == (422, "validation_failed")
    assert [error["pointer"] for error in refused.json["errors"]] == ["/endpoint"]
    assert len(rows(database, member)) == 20
    assert add(functions, member, endpoint(member, 3)).status == 201, "it has this one already"


def flipped() -> str:
    """The public key with one bit changed: a point beside the curve."""
    key = bytearray(base64.urlsafe_b64decode(P256DH + "="))
    key[-1] ^= 1
    return base64.urlsafe_b64encode(key).decode()


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        *(
            ({"endpoint": url}, "/endpoint")
            for url in (
                "http://fcm.googleapis.com/fcm/send/x",
                "https://fcm.googleapis.com:8443/fcm/send/x",
                "https://fcm.googleapis.com:/fcm/send/x",
                "https://user@fcm.googleapis.com/fcm/send/x",
                "https://user:word@fcm.googleapis.com/fcm/send/x",
                "https://142.250.74.10/fcm/send/x",
                "https://[2a00:1450::1]/fcm/send/x",
                "https://2398766602/fcm/send/x",
                "https://push.example/x",
                "https://localhost/x",
                "https://evilfcm.googleapis.com.example/x",
                "https://evil-fcm.googleapis.com/x",
                "https://evilpush.apple.com/x",
                "https://fcm.googleapis.com.example/x",
                "https://push.example/fcm.googleapis.com/",
                "https://push.example\\.fcm.googleapis.com/x",
                "https://push.example#.fcm.googleapis.com/x",
                "https://push.example/#@fcm.googleapis.com/x",
                "https://fcm.googleapis.com/x#part",
                "https://fcm.googleapis.com/x y",
                "https://fcm.googleapis.com/x\n",
                "https://fcm.googleapis.com\u3002/x",
                "https://fcm.googleapis.com",
                "//fcm.googleapis.com/x",
                "",
                "https://fcm.googleapis.com/" + "x" * 2048,
                None,
                1,
            )
        ),
        ({"keys": KEYS | {"p256dh": P256DH[:-4]}}, "/keys/p256dh"),
        ({"keys": KEYS | {"p256dh": flipped()}}, "/keys/p256dh"),
        ({"keys": KEYS | {"p256dh": "A" + P256DH[1:]}}, "/keys/p256dh"),
        ({"keys": KEYS | {"p256dh": "B" + "A" * 86}}, "/keys/p256dh"),
        ({"keys": KEYS | {"p256dh": P256DH.replace("_", "/").replace("-", "+")}}, "/keys/p256dh"),
        ({"keys": KEYS | {"auth": AUTH[:-2]}}, "/keys/auth"),
        ({"keys": KEYS | {"auth": AUTH + "AA"}}, "/keys/auth"),
        ({"keys": KEYS | {"auth": AUTH + "==="}}, "/keys/auth"),
        ({"keys": KEYS | {"auth": "é" * 22}}, "/keys/auth"),
        ({"keys": KEYS | {"auth": None}}, "/keys/auth"),
        ({"keys": {"p256dh": P256DH}}, "/keys/auth"),
        ({"keys": None}, "/keys"),
        ({"topic": "x"}, "/topic"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_bad_subscriptions_are_refused(
    functions: Functions, members: Members, database: sa.Engine, changes: dict[str, Any], pointer: str
) -> None:
    member = members.new()
    url = str(changes.get("endpoint", endpoint(member)))
    answer = add(functions, member, url, **changes)
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]
    assert rows(database, member) == []


def test_nobody_and_who_is_suspended_add_nothing(functions: Functions, members: Members, database: sa.Engine) -> None:
    member = members.new(suspended_at=NOON)
    assert add(functions, None, endpoint(member)).status == 401
    assert add(functions, member, endpoint(member)).json["code"] == "account_suspended"
    assert rows(database, member) == []
