"""The stand-in for push services: it takes what they take, refuses what they refuse, and shows what came."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import Client, TestResponse

from goatedvips.clients.push_encryption import encrypt
from goatedvips.clients.vapid import Signer
from goatedvips.push_services import decode_base64url, encode_base64url
from local.stand_ins.push import browsers, key, routes
from local.stand_ins.push.service import PushService
from local.template import build_parameters, build_stand_in_parameters

NOON = datetime(2026, 12, 3, 12, tzinfo=UTC)
MESSAGE = {"notification": {"title": "<b>Gewonnen</b> 🐐", "body": "b"}}
OTHER_KEY = encode_base64url(bytes(31) + b"\x07")


class Stand:
    """The application, with a browser that has subscribed."""

    def __init__(self) -> None:
        app = Flask(__name__)
        routes.serve(app, PushService(key.PUBLIC_KEY, lambda: NOON))
        self.client = Client(app)
        self.subscription: dict[str, Any] = self.json("POST", "/push/browsers")

    def json(self, method: str, path: str, **options: Any) -> Any:
        return self.client.open(path, method=method, **options).json

    def send(
        self,
        *,
        headers: dict[str, str | None] | None = None,
        body: bytes | None = None,
        signed_by: str = key.PRIVATE_KEY,
        at: datetime = NOON,
        origin: str = "https://fcm.googleapis.com",
        method: str = "POST",
    ) -> TestResponse:
        keys = {name: decode_base64url(value) for name, value in self.subscription["keys"].items()}
        text = json.dumps(MESSAGE).encode()
        given = {
            "Authorization": Signer(signed_by, "hello@goatedvips.example").authorize(origin, at),
            "Content-Encoding": "aes128gcm",
            "TTL": "60",
            "Topic": "race",
            "Urgency": "low",
        } | (headers or {})
        path = self.subscription["endpoint"].removeprefix("https://")
        content = encrypt(text, keys["p256dh"], keys["auth"]) if body is None else body
        chosen = {name: value for name, value in given.items() if value is not None}
        return self.client.open(f"/push-services/{path}", method=method, headers=chosen, data=content)

    def caught(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.json("GET", "/push.json")["items"]
        return found


@pytest.fixture
def stand() -> Stand:
    return Stand()


def test_the_key_of_this_machine_is_a_pair_and_that_of_the_platform() -> None:
    assert Signer(key.PRIVATE_KEY, "").public_key == key.PUBLIC_KEY
    values = build_parameters("postgresql://postgres@127.0.0.1:5432/goatedvips", "http://127.0.0.1:3000", {})
    assert values["PushPublicKey"] == key.PUBLIC_KEY
    assert values["PushServicesUrl"] == f"http://127.0.0.1:3000{routes.PREFIX}"
    chosen = {"PUSH_SERVICES_URL": "http://127.0.0.1:9/x"}
    assert build_stand_in_parameters("http://127.0.0.1:3000", chosen)["PushServicesUrl"] == "http://127.0.0.1:9/x"


def test_a_message_is_taken_decrypted_and_shown(stand: Stand) -> None:
    endpoint = stand.subscription["endpoint"]
    answer = stand.send()
    assert (answer.status_code, answer.headers["Location"]) == (201, f"{endpoint}/message")
    (one,) = stand.caught()
    assert one.keys() == {"endpoint", "status", "reason", "sent_at", "headers", "body", "claims", "message"}
    assert (one["endpoint"], one["status"], one["reason"], one["message"]) == (endpoint, 201, "", MESSAGE)
    assert one["sent_at"] == "2026-12-03T12:00:00+00:00"
    assert one["claims"]["sub"] == "mailto:hello@goatedvips.example"
    shown = {name: one["headers"][name] for name in ("ttl", "topic", "urgency", "content-encoding")}
    assert shown == {"ttl": "60", "topic": "race", "urgency": "low", "content-encoding": "aes128gcm"}
    assert one["headers"]["authorization"].startswith("vapid ")
    assert browsers.read(endpoint, decode_base64url(one["body"])) == MESSAGE
    assert stand.json("GET", "/push.json?endpoint=https://fcm.googleapis.com/other") == {"items": []}
    page = stand.client.get("/push").text
    assert "1 message." in page
    assert "&lt;b&gt;Gewonnen&lt;/b&gt; 🐐" in page
    assert "<b>" not in page


def test_a_message_to_another_browser_is_shown_as_encrypted(stand: Stand) -> None:
    stand.subscription["keys"]["auth"] = encode_base64url(bytes(16))
    assert stand.send().status_code == 201
    assert [one["message"] for one in stand.caught()] == [None]
    assert "encrypted for another browser" in stand.client.get("/push").text


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        *(({"headers": {"TTL": ttl}}, 400, "TTL") for ttl in (None, "", "-1", "soon")),
        *(({"headers": {"Topic": topic}}, 400, "Topic") for topic in ("x" * 33, "a b", "ä")),
        ({"headers": {"Urgency": "urgent"}}, 400, "Urgency"),
        *(({"headers": {"Content-Encoding": name}}, 400, "aes128gcm") for name in (None, "aesgcm")),
        ({"body": b""}, 400, "aes128gcm"),
        ({"body": bytes(200)}, 400, "aes128gcm"),
        ({"body": bytes(16) + (17).to_bytes(4) + b"\x41\x04" + bytes(200)}, 400, "aes128gcm"),
        ({"body": bytes(4097)}, 413, "4096"),
        *(({"headers": {"Authorization": text}}, 403, "VAPID") for text in (None, "", "Bearer x", "vapid t=a.b.c")),
        ({"headers": {"Authorization": f"vapid t=a.b.c, k={key.PUBLIC_KEY}"}}, 403, "cannot be read"),
        ({"signed_by": OTHER_KEY}, 403, "another key"),
        ({"origin": "https://web.push.apple.com"}, 403, "is for https://web.push.apple.com"),
        ({"at": NOON - timedelta(hours=12)}, 403, "24 hours"),
        ({"at": NOON + timedelta(hours=12, seconds=1)}, 403, "24 hours"),
    ],
    ids=str,
)
def test_what_push_services_refuse_is_refused_and_shown(
    stand: Stand, changes: dict[str, Any], status: int, reason: str
) -> None:
    answer = stand.send(**changes)
    assert (answer.status_code, reason in answer.text) == (status, True)
    (one,) = stand.caught()
    assert (one["status"], one["reason"], one["claims"], one["message"]) == (status, answer.text, None, None)


def test_a_token_whose_claims_were_changed_is_refused(stand: Stand) -> None:
    token = Signer(key.PRIVATE_KEY, "a@b.example").authorize("https://fcm.googleapis.com", NOON)
    head, _, signature = token.partition("t=")[2].partition(",")[0].split(".")
    claims = {"aud": "https://fcm.googleapis.com", "exp": NOON.timestamp() + 60, "sub": "mailto:x@example.com"}
    forged = f"vapid t={head}.{encode_base64url(json.dumps(claims).encode())}.{signature},k={key.PUBLIC_KEY}"
    assert "not signed" in stand.send(headers={"Authorization": forged}).text


def test_only_post_sends(stand: Stand) -> None:
    assert stand.send(method="PUT").status_code == 405
    assert stand.caught() == []


def test_it_answers_as_it_is_told_to(stand: Stand) -> None:
    def behave(**values: Any) -> TestResponse:
        told = stand.client.put("/push/behaviour", json=values)
        assert (told.status_code, told.json) == (200, stand.json("GET", "/push/behaviour"))
        return stand.send()

    for status in (404, 410, 500, 503):
        assert behave(status=status).status_code == status
    busy = behave(status=429, retry_after="60")
    assert (busy.status_code, busy.headers["Retry-After"]) == (429, "60")
    moved = behave(status=307, location="https://fcm.googleapis.com/elsewhere")
    assert (moved.status_code, moved.headers["Location"]) == (307, "https://fcm.googleapis.com/elsewhere")
    assert behave(status=410, endpoint=stand.subscription["endpoint"]).status_code == 410
    assert behave(status=410, endpoint="https://web.push.apple.com/").status_code == 201
    assert behave().status_code == 201
    assert [one["status"] for one in stand.caught()] == [201, 201, 410, 307, 429, 503, 500, 410, 404]
    refused: list[object] = [{"state": 410}, {"status": "410"}, {"status": 99}, {"seconds": "1"}, []]
    for wrong in refused:
        assert stand.client.put("/push/behaviour", json=wrong).status_code == 400
