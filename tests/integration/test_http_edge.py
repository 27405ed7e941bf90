"""The HTTP edge, which all routes share: tested mostly through the wheel's."""

import base64
import hashlib
import io
import json
import secrets
from collections.abc import Callable
from copy import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from aws_lambda_powertools.event_handler import Response

from database.embedded import free_port
from goatedvips import db
from goatedvips.config import settings
from goatedvips.domain import idempotency
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.http import api as http_api
from goatedvips.light_connection import Database
from goatedvips.models.accounts import users
from goatedvips.models.operations import idempotency_records
from goatedvips.models.wheel import wheel_spins
from goatedvips.postgres_server import Server
from tests.support.edges import use
from tests.support.functions import Context, Functions, event, load
from tests.support.members import Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
KEY = {"idempotency-key": "a key"}


def test_a_problem_document_has_every_member_of_rfc_9457_and_our_own(functions: Functions) -> None:
    refused = functions.call("spin_wheel")
    assert refused.status == 401
    assert refused.headers["Content-Type"] == "application/problem+json"
    document = refused.json
    assert document.pop("request_id") == refused.headers["X-Request-Id"]
    assert document == {
        "type": "/problems/unauthenticated",
        "title": "A valid session token is needed",
        "status": 401,
        "detail": "A valid session token is needed",
        "code": "unauthenticated",
    }


def test_the_caller_is_checked_before_the_body(functions: Functions) -> None:
    assert functions.call("spin_wheel", raw="{").status == 401


def test_the_edge_authenticates_if_the_authorizer_had_no_database(
    functions: Functions, members: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    member, stranger = members.new(), replace(members.new(), token="gvp_" + "x" * 43)
    for who, status in ((member, 200), (stranger, 401)):
        given = event("get_me", by=who, headers={"authorization": f"Bearer {who.token}"})
        given["requestContext"]["authorizer"] = {"lambda": {"undecided": True}}
        answer = load("get_me").handler(given, Context("GetMeFunction", "1"))
        assert answer["statusCode"] == status
    url = f"postgresql://api@127.0.0.1:{free_port()}/nowhere"
    use(monkeypatch, url)
    unreachable = Database(Server(url, iam=False, ca_file="", timeout=10.0))
    monkeypatch.setattr(load("authorize"), "database", unreachable)
    bearer = f"Bearer {member.token}"
    reported = functions.invoke("authorize", {"identitySource": [bearer]})
    assert reported == {"isAuthorized": True, "context": {"undecided": True}}
    given = event("get_me", headers={"authorization": bearer})
    given["requestContext"]["authorizer"] = {"lambda": reported["context"]}
    answer = load("get_me").handler(given, Context("GetMeFunction", "1"))
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (503, "database_unavailable")


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ("Application/JSON", 201),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/jsonp", 415),
    ],
)
def test_a_body_is_json_or_refused(functions: Functions, members: Members, content_type: str, status: int) -> None:
    answer = functions.call("spin_wheel", by=members.new(), raw="{}", headers={"content-type": content_type})
    assert answer.status == status


def test_a_body_in_base64_is_decoded(functions: Functions, members: Members) -> None:
    for octets, status in ((b'{"client_seed": "b64"}', 201), (b"\xff\xfe", 400), (b'"' + b"\xc3\xa9" * 32_768, 413)):
        given = event("spin_wheel", by=members.new())
        given |= {"body": base64.b64encode(octets).decode(), "isBase64Encoded": True}
        assert load("spin_wheel").handler(given, Context("SpinWheelFunction", "1"))["statusCode"] == status


def test_no_body_is_an_empty_object(functions: Functions, members: Members) -> None:
    given = event("spin_wheel", by=members.new())
    del given["body"]
    del given["headers"]["content-type"]
    assert load("spin_wheel").handler(given, Context("SpinWheelFunction", "1"))["statusCode"] == 201


def test_a_repeated_key_gets_the_first_response_byte_for_byte(functions: Functions, members: Members) -> None:
    member = members.new()
    first = functions.call("spin_wheel", by=member, body={}, headers=KEY)
    again = functions.call("spin_wheel", by=member, body={}, headers=KEY)
    assert (again.status, again.text) == (first.status, first.text)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]


def test_a_key_in_double_quotes_is_the_same_key(functions: Functions, members: Members) -> None:
    member = members.new()
    first = functions.call("spin_wheel", by=member, body={}, headers=KEY)
    quoted = functions.call(
        "spin_wheel", by=member, body={}, headers={"idempotency-key": f'"{KEY["idempotency-key"]}"'}
    )
    assert quoted.text == first.text
    assert quoted.headers["Idempotency-Replayed"] == "true"


def test_a_response_without_a_body_is_repeated_without_one(
    functions: Functions, members: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = HttpApi("member")
    done: list[int] = []

    @api.post("/v1/wheel/spins", status_code=204)
    def act() -> Response[None]:
        done.append(1)
        return Response(204)

    monkeypatch.setattr(load("spin_wheel"), "handler", lambda_handler(api))
    member = members.new()
    for key in ({}, KEY, KEY):
        answer = functions.call("spin_wheel", by=member, body={}, headers=key)
        assert (answer.status, answer.text) == (204, "")
        assert "Content-Type" not in answer.headers
    assert answer.headers["Idempotency-Replayed"] == "true"
    assert len(done) == 2


def test_a_key_belongs_to_a_member_a_path_and_a_body(functions: Functions, members: Members) -> None:
    member = members.new()
    functions.call("spin_wheel", by=member, body={}, headers=KEY)
    reused = functions.call("spin_wheel", by=member, body={"client_seed": "x"}, headers=KEY)
    assert (reused.status, reused.json["code"]) == (422, "idempotency_key_reused")
    other_path = functions.call("spin_wheel", by=member, body={}, headers=KEY, query={"a": "1"})
    assert other_path.json["code"] == "already_spun"
    assert functions.call("spin_wheel", by=members.new(), body={"client_seed": "x"}, headers=KEY).status == 201


def test_every_422_has_a_pointer(functions: Functions, members: Members) -> None:
    member = members.new()
    functions.call("spin_wheel", by=member, body={}, headers=KEY)
    reused = functions.call("spin_wheel", by=member, body={"client_seed": "x"}, headers=KEY)
    assert reused.json["errors"] == [{"pointer": "", "detail": "This Idempotency-Key was used with another body"}]
    many = functions.call("spin_wheel", by=member, body={f"field/{number}": 1 for number in range(1_000)})
    assert many.json["errors"][0]["pointer"] == "/field~10"
    assert len(many.json["errors"]) == 100


def test_a_key_expires_after_a_day(functions: Functions, members: Members) -> None:
    member = members.new()
    functions.call("spin_wheel", by=member, body={}, headers=KEY, now=NOON)
    almost = NOON + idempotency.RECORD_LIFETIME - timedelta(microseconds=1)
    assert functions.call("spin_wheel", by=member, body={}, headers=KEY, now=almost).headers["Idempotency-Replayed"]
    late = functions.call(
        "spin_wheel", by=member, body={"client_seed": "x"}, headers=KEY, now=NOON + idempotency.RECORD_LIFETIME
    )
    assert late.status == 201
    assert "Idempotency-Replayed" not in late.headers


def test_a_refusal_is_not_stored(functions: Functions, members: Members, database: sa.Engine) -> None:
    member = members.new()
    functions.call("spin_wheel", by=member, now=NOON)
    assert functions.call("spin_wheel", by=member, body={}, headers=KEY, now=NOON).status == 409
    tomorrow = functions.call("spin_wheel", by=member, body={}, headers=KEY, now=NOON + timedelta(days=1))
    assert tomorrow.status == 201, "decided anew"
    with database.connect() as connection:
        statuses = connection.execute(
            sa.select(idempotency_records.c.status).where(idempotency_records.c.user_id == member.id)
        )
        assert statuses.scalars().all() == [201]


def test_an_effect_and_its_record_commit_together(
    functions: Functions, members: Members, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("the process dies here")

    member = members.new()
    with monkeypatch.context() as patch:
        patch.setattr(idempotency, "store_answer", crash)
        assert functions.call("spin_wheel", by=member, body={}, headers=KEY).status == 500
    with database.connect() as connection:
        for table in (wheel_spins, idempotency_records):
            assert connection.execute(sa.select(table).where(table.c.user_id == member.id)).all() == []
    assert functions.call("spin_wheel", by=member, body={}, headers=KEY).status == 201


@pytest.mark.parametrize("key", ["", '""', "é", "a\tb", "k" * 256])
def test_an_invalid_key_is_refused(functions: Functions, members: Members, key: str) -> None:
    refused = functions.call("spin_wheel", by=members.new(), headers={"idempotency-key": key})
    assert refused.status == 422
    assert [error["pointer"] for error in refused.json["errors"]] == [""]


def test_a_replay_needs_a_live_session(functions: Functions, members: Members) -> None:
    member = members.new()
    functions.call("spin_wheel", by=member, body={}, headers=KEY)
    members.end_session(member)
    assert functions.call("spin_wheel", by=member, body={}, headers=KEY).status == 401


def test_a_replay_on_a_staff_route_needs_staff_rights(functions: Functions, members: Members) -> None:
    staff = members.staff()
    body = {"value": "1.00", "expires_at": "2999-01-01T00:00:00Z"}
    assert functions.call("issue_codes", by=staff, body=body, headers=KEY).status == 201
    members.change(staff, is_admin=False)
    refused = functions.call("issue_codes", by=staff, body=body, headers=KEY)
    assert (refused.status, refused.json["code"]) == (403, "forbidden")


def test_a_key_can_be_used_with_a_query_of_any_length(functions: Functions, members: Members) -> None:
    query = {"q": secrets.token_hex(4_000)}
    assert functions.call("spin_wheel", by=members.new(), body={}, headers=KEY, query=query).status == 201


def test_a_second_request_stops_waiting_for_the_first_after_the_lock_timeout(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new()
    with database.connect().execution_options(isolation_level="READ COMMITTED") as first:
        first.execute(
            sa.insert(idempotency_records).values(
                user_id=member.id,
                request_hash=hashlib.sha256(b"POST /v1/wheel/spins").digest(),
                key="a key",
                body_hash=b"",
                created_at=datetime.now(UTC),
            )
        )
        refused = functions.call("spin_wheel", by=member, body={}, headers=KEY)
        first.rollback()
    assert (refused.status, refused.json["code"]) == (409, "idempotency_in_progress")
    assert refused.headers["Retry-After"] == "1"


def test_a_lock_of_another_request_is_not_answered_as_idempotency_in_progress(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new()
    with database.connect().execution_options(isolation_level="READ COMMITTED") as other:
        other.execute(sa.select(users.c.id).where(users.c.id == member.id).with_for_update())
        refused = functions.call("spin_wheel", by=member, body={}, headers=KEY)
        other.rollback()
    assert (refused.status, refused.json["code"]) == (503, "database_unavailable")
    assert refused.headers["Retry-After"] == "1"
    assert functions.call("spin_wheel", by=member, body={}, headers=KEY).status == 201


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Returns what was written to standard output: log lines and metrics."""
    written = io.StringIO()
    monkeypatch.setattr(http_api.logger.registered_handler, "stream", written)
    return lambda: written.getvalue() + capsys.readouterr().out


def test_an_internal_error_reveals_nothing(
    functions: Functions, members: Members, monkeypatch: pytest.MonkeyPatch, printed: Callable[[], str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(load("spin_wheel").spins, "spin", fail)
    failed = functions.call("spin_wheel", by=members.new())
    assert (failed.status, failed.json["code"]) == (500, "internal_error")
    assert "secret" not in failed.text
    logged = [json.loads(line) for line in printed().splitlines()]
    (error,) = (line for line in logged if line.get("level") == "ERROR")
    assert "ZeroDivisionError" in error["exception"]
    assert error["request_id"] == failed.headers["X-Request-Id"]


def test_each_request_writes_one_line_with_its_metrics(
    functions: Functions, members: Members, printed: Callable[[], str]
) -> None:
    member = members.new()
    answer = functions.call("spin_wheel", by=member, body={"client_seed": "not-to-be-logged"})
    output = printed()
    (line,) = (json.loads(text) for text in output.splitlines())
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert (line["method"], line["path"], line["status"]) == ("POST", "/v1/wheel/spins", 201)
    assert line["user_id"] == member.id
    assert (line["Answered2xx"], line["function"]) == (1, "SpinWheelFunction")
    assert "not-to-be-logged" not in output


def test_log_fields_do_not_leak_into_the_next_request(
    functions: Functions, members: Members, printed: Callable[[], str]
) -> None:
    functions.call("spin_wheel", by=members.new())
    functions.call("get_wheel")
    spun, got = (json.loads(text) for text in printed().splitlines())
    assert "user_id" in spun
    assert "user_id" not in got
    assert spun["request_id"] != got["request_id"]


def test_a_query_log_line_carries_the_request_id(
    functions: Functions, printed: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "settings", replace(settings, query_log=True))
    engine = use(monkeypatch, settings.database_url)
    answer = functions.call("get_wheel")
    engine.dispose()
    query, *_ = (json.loads(text) for text in printed().splitlines())
    assert "SELECT wheel_versions.id" in query["statement"]
    assert query["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    "body", ['{"code": "A", "code": "B"}', '{"x": {"1": 50, "1": 30}}', '[{"a": 1, "\\u0061": 2}]']
)
def test_a_json_object_with_a_name_twice_is_refused(functions: Functions, members: Members, body: str) -> None:
    for name in ("claim_code", "spin_wheel", "log_out"):
        refused = functions.call(name, by=members.new(), raw=body)
        assert (refused.status, refused.json["code"]) == (400, "malformed_request")


@pytest.mark.parametrize("control", ["\n", "\r", "\x00", "\x1f", "\x7f", "\x85"])
def test_a_path_with_a_control_character_is_not_found(functions: Functions, members: Members, control: str) -> None:
    member = members.new()
    for path in (f"/v1/users/{member.id}{control}", f"/v1/users/{control}{member.id}", f"/v1/us{control}ers/1"):
        refused = functions.call("get_profile", path=path)
        assert (refused.status, refused.json["code"]) == (404, "not_found")
    assert functions.call("spin_wheel", by=member, path=f"/v1/wheel/spins{control}").status == 404
    assert functions.call("spin_wheel", by=member).status == 201


@pytest.mark.parametrize(
    ("source_ip", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2:3:4:5:6]", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::ffff:cb00:7107", "203.0.113.7"),
        ("[::ffff:203.0.113.7]:4711", "203.0.113.7"),
        ("64:ff9b::203.0.113.7", "203.0.113.7"),
        ("2002:cb00:7107::1", "203.0.113.7"),
        ("2001:0:c000:0201:0:0:34ff:8ef8", "203.0.113.7"),
        ("::1", "::/64"),
    ],
)
def test_the_client_network_of_a_source_address(source_ip: str, network: str) -> None:
    api = HttpApi("anyone")
    api._event = event("get_wheel", address=source_ip)
    assert api.client_network == network


@pytest.mark.parametrize(
    ("secret", "sent", "network"),
    [
        ("it-came-through-cloudfront", "it-came-through-cloudfront", "192.0.2.1"),
        ("it-came-through-cloudfront", "a guess", "203.0.113.7"),
        ("it-came-through-cloudfront", "", "203.0.113.7"),
        ("", "", "203.0.113.7"),  # there is no CloudFront, so nothing can be proved
        ("", "it-came-through-cloudfront", "203.0.113.7"),
    ],
)
def test_what_says_who_the_client_is_counts_only_from_cloudfront(
    secret: str, sent: str, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "origin_secret", secret)
    api = HttpApi("anyone")
    api._event = event("get_wheel", address="203.0.113.7")
    api._event["headers"] |= {"x-origin-secret": sent, "true-client-ip": "192.0.2.1"}
    assert api.client_network == network


@pytest.mark.parametrize(
    ("name", "body", "pointer", "detail"),
    [
        ("log_in", [], "", "must be an object"),
        ("log_in", None, "", "must be an object"),
        ("create_race", {"prize_distribution": [50]}, "/prize_distribution", "must be an object"),
        ("create_race", {"prize_distribution": {}}, "/prize_distribution", "must not be empty"),
        ("create_race", {"repeat": "weekly"}, "/repeat", "must be an object"),
        ("create_race", {"end_date": "2027-02-29T00:00:00Z"}, "/end_date", "must be an instant that exists"),
        ("create_race", {"end_date": "2027-01-01T23:59:60Z"}, "/end_date", "without leap seconds"),
        ("issue_codes", {"value": "100000000"}, "/value", "less than 100000000"),
        ("issue_codes", {"code": "-abc"}, "/code", "spaces and dashes only between them"),
        ("register", {"username": "-_-"}, "/username", "at least one letter or digit"),
        ("register", {"username": "goat\n"}, "/username", "A-Z, a-z, 0-9"),
        ("spin_wheel", {"client_seed": ""}, "/client_seed", "1 to 64 of the characters"),
        ("update_me", {"profile_color": "#fff"}, "/profile_color", "six hexadecimal digits"),
        ("link_account", {"uid": "\u2800"}, "/uid", "must have a visible character"),
    ],
)
def test_a_refusal_is_worded_for_people(
    functions: Functions, members: Members, name: str, body: object, pointer: str, detail: str
) -> None:
    refused = functions.call(name, by=members.new(is_staff=True), raw=json.dumps(body))
    assert refused.status == 422
    (found,) = [error["detail"] for error in refused.json["errors"] if error["pointer"] == pointer]
    assert detail in found
