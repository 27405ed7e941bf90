"""The custom resource Migration: what CloudFormation is answered, and what then is in the database."""

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from copy import replace
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, text

from goatedvips import custom_resource
from goatedvips.models.schema import REVISION
from tests.infrastructure.project import ROOT
from tests.support.databases import GUIDE_SQL, bare_server, database, run_sql, url
from tests.support.functions import load

__all__ = ["bare_server", "database", "url"]

SAMPLE: dict[str, Any] = json.loads((ROOT / "events/migrate.json").read_text())
LAYER = "arn:aws:lambda:us-east-1:123456789012:layer:MigrationsLayer"

type Run = Callable[..., dict[str, Any]]


class Answers:
    """A stand-in for the bucket of CloudFormation: it takes what is put, after refusing some requests."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.content_types: list[str | None] = []
        self.refuse = 0

    def take(self, request: http.server.BaseHTTPRequestHandler) -> int:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        if self.refuse:
            self.refuse -= 1
            return 503
        self.content_types.append(request.headers["Content-Type"])
        self.bodies.append(json.loads(body))
        return 200


@pytest.fixture(scope="module")
def answers_url() -> Iterator[tuple[Answers, str]]:
    answers = Answers()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.send_response(answers.take(self))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield answers, f"http://127.0.0.1:{server.server_port}/answer?X-Amz-Signature=abc"
        server.shutdown()


@pytest.fixture
def answers(answers_url: tuple[Answers, str]) -> Answers:
    answers = answers_url[0]
    answers.__init__()  # type: ignore[misc]
    return answers


class Context:
    """A run of migrate that has so many milliseconds left."""

    function_name, aws_request_id = "migrate", "request"

    def __init__(self, milliseconds: int = 900_000) -> None:
        self._milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self._milliseconds


@pytest.fixture
def run(url: str, answers: Answers, answers_url: tuple[Answers, str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Send an event to migrate, on a database of its own, and return the answer."""
    migrate = load("migrate")
    monkeypatch.setattr(migrate, "settings", replace(migrate.settings, database_url=url))

    def send(kind: str, number: int = 8, before: int | None = None) -> dict[str, Any]:
        event = SAMPLE | {"RequestType": kind, "ResponseURL": answers_url[1]}
        event["ResourceProperties"] = {"Migrations": f"{LAYER}:{number}"}
        event.pop("OldResourceProperties")
        if before is not None:
            event["OldResourceProperties"] = {"Migrations": f"{LAYER}:{before}"}
        if kind == "Create":
            event.pop("PhysicalResourceId")
        migrate.handler(event, Context())
        (answer,) = answers.bodies
        answers.bodies.clear()
        return answer

    return send


def revision(database: Engine) -> str | None:
    with database.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


def tables(database: Engine) -> set[str]:
    with database.connect() as connection:
        return set(inspect(connection).get_table_names())


def test_the_life_of_a_stack(run: Run, database: Engine, answers: Answers) -> None:
    answer = run("Create")
    names = ("StackId", "RequestId", "LogicalResourceId")
    assert answer == {name: SAMPLE[name] for name in names} | {
        "Status": "SUCCESS",
        "Reason": "",
        "PhysicalResourceId": "Migration",
    }
    assert answers.content_types == [""]  # the URL is signed for none
    assert revision(database) == REVISION
    with database.connect() as connection:
        assert connection.scalar(text("SELECT has_table_privilege('api', 'users', 'INSERT')")) is True
        history = connection.scalar(text("SELECT obj_description('alembic_version'::regclass)")).split()
        assert history[0] == REVISION
        assert history[-1] == "guide_tables"
        assert len(history) == len(set(history)) > 20
    assert run("Update", 9, 8)["Status"] == "SUCCESS"  # nothing to do

    with database.begin() as connection:  # a later release has migrated further
        connection.execute(text("UPDATE alembic_version SET version_num = 'later'"))
    assert run("Update", 10, 9)["Status"] == "SUCCESS"  # this release is deployed again
    assert revision(database) == "later"

    before = tables(database)
    assert run("Delete")["Status"] == "SUCCESS"
    assert tables(database) == before


def test_a_failure_has_its_reason_and_the_roll_back_touches_nothing(run: Run, url: str, database: Engine) -> None:
    run_sql(url, GUIDE_SQL.partition("CREATE TABLE public.newsletter_subscriptions")[0])  # not the whole schema
    before = tables(database)
    answer = run("Update", 9, 8)
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("CommandError: ")
    assert answer["PhysicalResourceId"] == SAMPLE["PhysicalResourceId"]
    for request in (("Update", 8, 9), ("Delete",)):
        assert run(*request)["Status"] == "SUCCESS"
        assert tables(database) == before


def test_an_update_that_gives_up_is_a_failure_before_lambda_ends_it(
    answers: Answers, answers_url: tuple[Answers, str]
) -> None:
    released = threading.Event()
    handler = custom_resource.lambda_handler(lambda: {"waited": released.wait(5)}, version="Migrations")
    milliseconds = int(custom_resource.ANSWER_SECONDS * 1000) + 100
    running = threading.Thread(target=handler, args=(SAMPLE | {"ResponseURL": answers_url[1]}, Context(milliseconds)))
    running.start()
    end = time.monotonic() + 5
    while not answers.bodies and time.monotonic() < end:
        time.sleep(0.01)
    assert running.is_alive()
    released.set()
    running.join()
    (answer,) = answers.bodies  # not a second one
    assert (answer["Status"], answer["Reason"]) == ("FAILED", "it takes longer than 0 s")


def test_an_answer_is_tried_again(run: Run, answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goatedvips.custom_resource.time.sleep", lambda _: None)
    answers.refuse = 2
    assert run("Delete")["Status"] == "SUCCESS"
