"""The documents by which push messages leave the VPC, and by which their outcomes come back."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws
from pydantic import ValidationError

from goatedvips.clients import push_batches, s3
from goatedvips.clients.push_batches import MalformedBatch, Push, PushBatch, Result, ResultBatch
from goatedvips.config import settings

BUCKET = "pushes-of-tests"
BATCH = "0123456789abcdef" * 2
MESSAGE = {"web_push": 8030, "notification": {"title": "Antwort", "body": "„Ja“ 🐐", "navigate": "https://x.example/"}}
PUSH: dict[str, Any] = {
    "id": 7,
    "attempt": 1,
    "endpoint": "https://fcm.googleapis.com/fcm/send/x",
    "p256dh": "BCVx",
    "auth": "BTBZ",
    "ttl": 0,
    "topic": "dG9waWM",
    "urgency": "normal",
    "message": MESSAGE,
}
RESULT: dict[str, Any] = {"id": 7, "attempt": 1, "status": 429, "retry_after": 60, "error": "429"}


@pytest.fixture(autouse=True, scope="module")
def bucket() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patched, mock_aws():
        patched.setattr(settings, "feed_bucket", BUCKET)
        s3.client.cache_clear()
        s3.client().create_bucket(Bucket=BUCKET)
        yield s3.client()
    s3.client.cache_clear()


def put(bucket: Any, key: str, document: object) -> str:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    bucket.put_object(Bucket=BUCKET, Key=key, Body=content)
    return key


def content(bucket: Any, key: str) -> Any:
    return json.loads(bucket.get_object(Bucket=BUCKET, Key=key)["Body"].read())


def test_a_batch_is_read_as_it_was_put(bucket: Any) -> None:
    push_batches.put_pushes(BATCH, [Push(**PUSH)])
    key = f"push/out/{BATCH}.json"
    assert content(bucket, key) == {"batch": BATCH, "pushes": [PUSH]}
    assert push_batches.read_pushes(key) == PushBatch(BATCH, [Push(**PUSH)])


def test_results_are_read_as_they_were_put(bucket: Any) -> None:
    results = [Result(**RESULT), Result(8, 3, None, None, "no answer"), Result(9, 1, 201)]
    batch = secrets.token_hex(16)
    assert not push_batches.has_results(batch)
    push_batches.put_results(batch, results)
    assert push_batches.has_results(batch)
    key = f"push/in/{batch}.json"
    assert content(bucket, key)["results"][1:] == [
        {"id": 8, "attempt": 3, "status": None, "retry_after": None, "error": "no answer"},
        {"id": 9, "attempt": 1, "status": 201, "retry_after": None, "error": None},
    ]
    assert push_batches.read_results(key) == ResultBatch(batch, results)


def test_a_batch_has_a_name_of_32_digits() -> None:
    for name in ("", "x", BATCH.upper(), f"../{BATCH[3:]}"):
        with pytest.raises(ValidationError):
            push_batches.put_pushes(name, [])
        with pytest.raises(ValidationError):
            push_batches.put_results(name, [])


def test_what_a_later_release_adds_is_ignored(bucket: Any) -> None:
    document = {"batch": BATCH, "results": [RESULT | {"later": 1}], "later": []}
    read = push_batches.read_results(put(bucket, f"push/in/{BATCH}.json", document))
    assert read == ResultBatch(BATCH, [Result(**RESULT)])


def test_whether_there_are_results_is_not_guessed_when_s3_refuses(bucket: Any) -> None:
    with Stubber(bucket) as answers:
        answers.add_client_error("list_objects_v2", "AccessDenied", http_status_code=403)
        with pytest.raises(ClientError, match="AccessDenied"):
            push_batches.has_results(BATCH)


@pytest.mark.parametrize(
    "changes",
    [
        *({"id": value} for value in (0, -1, 2**63, "7", 7.0, True, None)),
        *({"attempt": value} for value in (0, "1", None)),
        *({"status": value} for value in (99, 600, "201", 201.5)),
        *({"retry_after": value} for value in (-1, "60", 1.5)),
        *({"error": value} for value in (5, "x" * 501)),
    ],
    ids=str,
)
def test_a_malformed_result_is_refused(bucket: Any, changes: dict[str, Any]) -> None:
    (name,) = changes
    key = put(bucket, f"push/in/{BATCH}.json", {"batch": BATCH, "results": [RESULT, RESULT | changes]})
    with pytest.raises(MalformedBatch, match=rf"push/in/{BATCH}\.json: /results/1/{name}"):
        push_batches.read_results(key)


@pytest.mark.parametrize(
    ("document", "place"),
    [
        (b"", "/: "),
        (b"\xff", "/: "),
        (b"[" * 100_000, "/: "),
        ([], "/: "),
        ({"batch": BATCH}, "/results: "),
        ({"batch": BATCH, "results": {}}, "/results: "),
        ({"batch": BATCH.upper(), "results": []}, "/batch: "),
        ({"batch": f"{BATCH}\n", "results": []}, "/batch: "),
        ({"batch": "f" * 32, "results": []}, "/batch: is of another object"),
        ({"batch": BATCH, "results": [{"id": 7, "attempt": 1}]}, "/results/0/status: "),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_malformed_document_is_refused(bucket: Any, document: object, place: str) -> None:
    with pytest.raises(MalformedBatch, match=rf"^push/in/{BATCH}\.json: {place}"):
        push_batches.read_results(put(bucket, f"push/in/{BATCH}.json", document))


def test_a_refusal_quotes_nothing_of_the_document(bucket: Any) -> None:
    document = {"batch": BATCH, "pushes": [PUSH | {"endpoint": None, "auth": 5, "message": "a secret"}]}
    with pytest.raises(MalformedBatch) as refused:
        push_batches.read_pushes(put(bucket, f"push/out/{BATCH}.json", document))
    assert "secret" not in f"{refused.value}"


@pytest.mark.parametrize(
    "changes",
    [{"ttl": -1}, {"ttl": 1.5}, {"urgency": "very-low"}, {"message": []}]
    + [{"topic": topic} for topic in ("", "x" * 33, "a+b", "é", "x\n")],
    ids=str,
)
def test_a_malformed_push_message_is_neither_made_nor_read(bucket: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Push(**PUSH | changes)
    with pytest.raises(MalformedBatch):
        push_batches.read_pushes(put(bucket, f"push/out/{BATCH}.json", {"batch": BATCH, "pushes": [PUSH | changes]}))


def test_a_batch_of_results_is_no_batch_of_push_messages(bucket: Any) -> None:
    key = put(bucket, f"push/out/{BATCH}.json", {"batch": BATCH, "results": [], "pushes": []})
    assert push_batches.read_pushes(key) == PushBatch(BATCH, [])
    with pytest.raises(MalformedBatch, match="is of another object"):
        push_batches.read_results(key)
