"""The local API answers as API Gateway does. Its functions here are made for the tests, and return their events."""

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from database.embedded import free_port
from local import template
from local.clock import MovableClock
from local.gateway import docs
from local.gateway.api import HttpApi
from local.gateway.server import Server
from local.pool import Pool
from local.sources import LOOK_INTERVAL
from local.stand_ins import mail

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters: {Greeting: {Type: String}}
Globals: {Function: {Runtime: python3.13, Timeout: 2, Environment: {Variables: {GREETING: !Ref Greeting}}}}
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      CorsConfiguration: {AllowOrigins: ["https://front.example"], AllowMethods: [GET, POST], ExposeHeaders: [ETag]}
      Auth:
        DefaultAuthorizer: Session
        Authorizers:
          Session:
            FunctionArn: !GetAtt AuthorizeFunction.Arn
            AuthorizerPayloadFormatVersion: "2.0"
            EnableSimpleResponses: true
            Identity: {Headers: [Authorization], ReauthorizeEvery: 60}
  AuthorizeFunction: {Type: AWS::Serverless::Function, Properties: {CodeUri: code/, Handler: authorize.handler}}
  EchoFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code/
      Handler: echo.handler
      Events:
        Guarded: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: POST, Path: /guarded}}
        Open: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: GET, Path: "/open/{id}", Auth: {Authorizer: NONE}}}
        Sent: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: POST, Path: "/open/{id}", Auth: {Authorizer: NONE}}}
"""
AUTHORIZE = """
import time
def handler(event, context):
    token = event["identitySource"][0]
    assert token != "broken" and "body" not in event
    user = str(time.time_ns()) if token == "asked when" else token
    return {"isAuthorized": token != "refused", "context": {"user": user}}
"""
ECHO = """
import base64, gzip, json, os, time
calls = 0
def handler(event, context):
    global calls
    calls += 1
    query = event.get("queryStringParameters") or {}
    if "raise" in query: raise ValueError("on purpose")
    if "refuse" in query:
        print(json.dumps({"level": "ERROR", "message": "answered", "request_id": event["requestContext"]["requestId"],
                          "reason": "the disk is full", "exception": "Traceback, line 7"}))
        return {"statusCode": 503, "body": "{}"}
    if "die" in query: os._exit(3)
    if "packed" in query:
        body = base64.b64encode(gzip.compress(b'{"goat": 1}')).decode()
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        return {"statusCode": 200, "headers": headers, "body": body, "isBase64Encoded": True}
    time.sleep(float(query.get("sleep", 0)))
    seen = {"event": event, "environment": dict(os.environ), "pid": os.getpid(), "request": context.aws_request_id}
    return {"statusCode": 201, "cookies": ["a=1", "b=2"], "body": json.dumps(seen),
            "headers": {"Access-Control-Allow-Origin": "*", "ETag": "x"}}
"""
ORIGIN = {"Origin": "https://front.example"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture(scope="module")
def base(folder: Path, clock: MovableClock) -> Iterator[str]:
    (folder / "code").mkdir()
    (folder / "code/authorize.py").write_text(AUTHORIZE)
    (folder / "code/echo.py").write_text(ECHO)
    (folder / "template.yaml").write_text(TEMPLATE)
    port = free_port()
    plan = template.load({"Greeting": "hello"}, "", folder / "template.yaml")
    pool = Pool(plan.functions, folder / "log", 4, clock)
    api = HttpApi(plan, pool, port)
    mail.serve(api.app, mail.Mailbox())
    docs.serve(api.app)
    server = Server("127.0.0.1", port, api.app)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{port}"
    server.shutdown()
    pool.stop()


@pytest.fixture
def client(base: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=base, timeout=30, trust_env=False) as client:
        yield client


def event_of(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 201, response.text
    event: dict[str, Any] = response.json()["event"]
    return event


def test_an_event_has_payload_format_2_0(client: httpx.Client) -> None:
    headers = [("X-Twice", "1"), ("X-Twice", "2"), ("Cookie", "a=1; b=2")]
    event = event_of(client.get("/open/a%20b?x=1&x=%202", headers=headers))
    assert event["routeKey"] == "GET /open/{id}"
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == "/open/a b"
    assert event["rawQueryString"] == "x=1&x=%202"
    assert event["queryStringParameters"] == {"x": "1, 2"}
    assert event["pathParameters"] == {"id": "a b"}
    assert event["headers"]["x-twice"] == "1,2"
    assert event["cookies"] == ["a=1", "b=2"]
    assert "cookie" not in event["headers"]
    assert "body" not in event
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("media_type", "sent", "body", "encoded"),
    [
        ("application/json", b'{"a":1}', '{"a":1}', False),
        ("application/x-www-form-urlencoded", b"a=1", "a=1", False),
        ("application/json", b"\xff", "/w==", True),
        ("application/octet-stream", b"a", "YQ==", True),
    ],
)
def test_a_body_that_is_not_text_arrives_as_base64(
    client: httpx.Client, media_type: str, sent: bytes, body: str, *, encoded: bool
) -> None:
    event = event_of(client.post("/open/1", content=sent, headers={"Content-Type": media_type}))
    assert (event["body"], event["isBase64Encoded"]) == (body, encoded)


def test_a_chunked_body_arrives_whole(client: httpx.Client) -> None:
    parts = iter([b"ab", b"cd"])
    assert event_of(client.post("/open/1", content=parts, headers={"Content-Type": "text/plain"}))["body"] == "abcd"


def test_a_function_has_only_the_templates_environment(client: httpx.Client) -> None:
    os.environ["OF_THE_SHELL"] = "1"
    environment = client.get("/open/1").json()["environment"]
    assert environment["GREETING"] == "hello"
    assert environment["AWS_ACCESS_KEY_ID"] == "local"
    assert "OF_THE_SHELL" not in environment


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "message"),
    [
        ("GET", "/nowhere", {}, 404, "Not Found"),
        ("PUT", "/open/1", {}, 404, "Not Found"),
        ("GET", "/open/1/", {}, 404, "Not Found"),
        ("GET", "//open/1", {}, 404, "Not Found"),
        ("OPTIONS", "/guarded", {}, 404, "Not Found"),
        ("POST", "/guarded", {}, 401, "Unauthorized"),
        ("POST", "/guarded", {"Authorization": "refused"}, 403, "Forbidden"),
        ("POST", "/guarded", {"Authorization": "broken"}, 500, "Internal Server Error"),
        ("GET", "/open/1?raise=1", {}, 500, "Internal Server Error"),
        ("GET", "/open/1?die=1", {}, 500, "Internal Server Error"),
        ("GET", "/open/1?sleep=3", {}, 503, "Service Unavailable"),
    ],
)
def test_the_gateways_own_answers(
    client: httpx.Client, method: str, path: str, headers: dict[str, str], status: int, message: str
) -> None:
    response = client.request(method, path, headers=headers | ORIGIN)
    assert (response.status_code, response.json()) == (status, {"message": message})
    assert response.headers["Access-Control-Allow-Origin"] == "https://front.example"
    assert client.get("/open/1").status_code == 201  # whatever became of the worker


def test_a_body_over_10_mb_is_refused(client: httpx.Client) -> None:
    response = client.post("/open/1", content=bytes(10 * 1024 * 1024 + 1))
    assert (response.status_code, response.json()) == (413, {"message": "Request Entity Too Large"})


def test_the_function_sees_the_authorizers_context(client: httpx.Client) -> None:
    event = event_of(client.post("/guarded", headers={"Authorization": "anna"}))
    assert event["requestContext"]["authorizer"] == {"lambda": {"user": "anna"}}


def test_the_authorizers_answer_is_cached_for_a_minute_of_the_movable_clock(
    client: httpx.Client, clock: MovableClock
) -> None:
    def ask() -> Any:
        event = event_of(client.post("/guarded", headers={"Authorization": "asked when"}))
        return event["requestContext"]["authorizer"]["lambda"]["user"]

    first = ask()
    assert ask() == first
    clock.move(clock.now() + timedelta(seconds=60))
    assert ask() != first


def test_the_gateway_sets_the_cors_headers(client: httpx.Client) -> None:
    preflight = client.options("/guarded", headers=ORIGIN | {"Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Methods"] == "GET,POST"
    assert client.get("/open/1", headers=ORIGIN).headers["Access-Control-Expose-Headers"] == "etag"
    assert (
        "Access-Control-Allow-Origin" not in client.get("/open/1", headers={"Origin": "https://else.example"}).headers
    )


def test_an_answer_carries_its_cookies_and_the_connection_stays_open(client: httpx.Client) -> None:
    response = client.get("/open/1")
    assert response.headers.get_list("Set-Cookie") == ["a=1", "b=2"]
    assert response.headers.get("Connection") != "close"


def test_a_compressed_answer_arrives_unchanged(client: httpx.Client) -> None:
    answer = client.get("/open/1?packed=1")
    assert (answer.headers["content-encoding"], answer.headers["content-type"]) == ("gzip", "application/json")
    assert answer.json() == {"goat": 1}


def test_each_of_hundreds_of_concurrent_requests_gets_its_own_answer(base: str) -> None:
    count = 200
    barrier = threading.Barrier(count)
    answers: dict[int, Any] = {}
    with httpx.Client(base_url=base, timeout=60, trust_env=False, limits=httpx.Limits(max_connections=count)) as client:

        def ask(number: int) -> None:
            barrier.wait()
            user = f"user {number % 50}"
            answers[number] = client.post("/guarded", headers={"Authorization": user}, json=number).json()

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for number, answer in answers.items():
        assert json.loads(answer["event"]["body"]) == number
        assert answer["event"]["requestContext"]["authorizer"]["lambda"] == {"user": f"user {number % 50}"}
    assert len(answers) == count
    assert len({answer["pid"] for answer in answers.values()}) == 4
    assert len({answer["event"]["requestContext"]["requestId"] for answer in answers.values()}) == count


def test_mail_is_caught_and_shown_escaped(client: httpx.Client) -> None:
    body = {"Text": {"Data": "<script> http://127.0.0.1/verify#token=a&b."}}
    content = {"Simple": {"Subject": {"Data": "<Hi>"}, "Body": body}}
    sent = {"FromEmailAddress": "a@b.example", "Destination": {"ToAddresses": ["Anna@example.com"]}, "Content": content}
    assert client.post("/v2/email/outbound-emails", json=sent).json()["MessageId"]
    (caught,) = client.get("/mail.json", params={"to": "anna@example.com"}).json()["items"]
    assert caught == {
        "to": "Anna@example.com",
        "subject": "<Hi>",
        "text": body["Text"]["Data"],
        "html": "",
        "headers": [{"name": "From", "value": "a@b.example"}],
        "raw": None,
    }
    sent["Destination"] = {"ToAddresses": ["anna@b\u00fccher.example"]}
    refused = client.post("/v2/email/outbound-emails", json=sent)
    assert (refused.status_code, refused.headers["x-amzn-ErrorType"]) == (400, "BadRequestException")
    page = client.get("/mail").text
    assert "<script>" not in page
    assert '<a href="http://127.0.0.1/verify#token=a&amp;b">' in page


def test_the_documentation_needs_no_other_host(client: httpx.Client) -> None:
    page = client.get("/docs").text
    assert "https://" not in page
    assert client.get("/docs/swagger-ui-bundle.min.js").status_code == 200


def test_edited_code_takes_effect_at_once(client: httpx.Client, folder: Path) -> None:
    file, before = folder / "code" / "echo.py", ECHO
    assert client.get("/open/1").status_code == 201
    try:
        for status in (202, 203):
            time.sleep(2 * LOOK_INTERVAL)
            file.write_text(before.replace('"statusCode": 201', f'"statusCode": {status}'))
            assert {client.get("/open/1").status_code for _ in range(8)} == {status}
        time.sleep(2 * LOOK_INTERVAL)
        file.write_text("this is no Python")
        assert client.get("/open/1").status_code == 500
    finally:
        time.sleep(2 * LOOK_INTERVAL)
        file.write_text(before)
    assert client.get("/open/1").status_code == 201


def test_a_template_that_was_edited_asks_for_a_restart(
    client: httpx.Client, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    time.sleep(2 * LOOK_INTERVAL)
    (folder / "template.yaml").touch()
    client.get("/open/1")
    time.sleep(2 * LOOK_INTERVAL)
    client.get("/open/1")
    assert capfd.readouterr().out.count("restart `make run`") == 1


def test_each_request_is_a_line_in_the_terminal(client: httpx.Client, capfd: pytest.CaptureFixture[str]) -> None:
    client.get("/open/1?x=1")
    client.get("/nowhere")
    client.get("/open/%1b[31m")
    lines = capfd.readouterr().out.splitlines()
    assert [line.split("  ")[1:3] for line in lines] == [
        ["201", "GET /open/1?x=1"],
        ["404", "GET /nowhere"],
        ["201", "GET /open/%1b[31m"],
    ]
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d  .*  \d+ ms", line) for line in lines)


def test_a_failure_is_explained_in_the_terminal(client: httpx.Client, capfd: pytest.CaptureFixture[str]) -> None:
    client.get("/open/1?raise=1")
    shown = capfd.readouterr()
    assert "failed: EchoFunction: ValueError: on purpose" in shown.err
    assert 'raise ValueError("on purpose")' in shown.err  # the line of the stack trace
    assert "500  GET" in shown.out
    client.get("/open/1?refuse=1")
    shown = capfd.readouterr()
    assert 'ERROR: answered {"request_id"' in shown.err
    assert '"reason": "the disk is full"' in shown.err
    assert "\nTraceback, line 7" in shown.err


def test_a_guarded_route_without_its_authorizer_is_not_served(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(TEMPLATE.replace("!GetAtt AuthorizeFunction.Arn", "!Ref AuthorizeFunction.Alias"))
    with pytest.raises(template.TemplateError, match="POST /guarded"):
        template.load({"Greeting": ""}, "", file)
