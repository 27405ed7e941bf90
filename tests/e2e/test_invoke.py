"""Every function, with its sample event, on Lambda's own runtime client and on the schema of a later release."""

import base64
import gzip
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_schema_validator import OAS31Validator

from database.embedded import free_port
from goatedvips.domain.operations import retention
from local import demo, samples, template
from local.invoke import invoke
from local.stand_ins import affiliate, outside, s3
from tests.support import later_release, stack

ROOT = Path(__file__).parents[2]
OPENAPI = json.loads((ROOT / "functions/operations/openapi.json").read_text())
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the runtime interface emulator runs only on Linux")
NAMES = sorted(path.stem for path in (ROOT / "functions").glob("*/*.py"))
# What the sample event of a function with a route is answered with, where that is not 200.
STATUS = {
    "add_push_subscription": 201,
    "change_email": 202,
    "change_password": 204,
    "erase_me": 204,
    "claim_code": 201,
    "create_campaign": 201,
    "create_payouts": 201,
    "create_race": 201,
    "end_exclusion": 204,
    "exclude_me": 201,
    "grant_reward": 201,
    "issue_codes": 201,
    "join_race": 201,
    "link_account": 202,
    "log_in": 201,
    "log_out": 204,
    "open_ticket": 201,
    "publish_tiers": 201,
    "publish_wheel": 201,
    "read_notifications": 204,
    "register": 201,
    "remove_push_subscription": 204,
    "reply_ticket": 201,
    "request_password_reset": 202,
    "request_verification": 202,
    "spin_wheel": 201,
    "subscribe": 202,
    "test_campaign": 202,
}
# The code of the refusal, where the sample names something that is not there.
REFUSED = {
    "accept_feed": "not_found",  # there is no such account
    "cancel_race": "not_found",  # there is no such race
    "confirm_subscription": "token_invalid",  # the sample's token was never mailed
    "decide_link": "not_found",  # there is no such request
    "get_past_race": "not_found",  # no race is in the archive
    "get_spin": "not_found",  # the first spin is another member's, or there is none
    "get_standing": "not_found",  # the member has not joined the race
    "leave_race": "not_found",  # the member has not joined the race
    "reset_password": "token_invalid",
    "revoke_batch": "not_found",  # there is no such batch
    "revoke_code": "not_found",  # there is no such code
    "rotate_seed": "seed_unused",  # the member has not spun yet
    "settle_race": "not_found",  # there is no such race
    "unsubscribe": "token_invalid",  # no key of this database signed the sample's token
    "update_participant": "not_found",  # there is no such participant
    "verify_email": "token_invalid",
    "withdraw_payout": "conflict",  # the demo's payout is paid
}

# What functions without a route answer: all of it, or its keys.
EXACT = {
    "authorize": {"isAuthorized": True, "context": {}},
    "close_stale_tickets": {"closed": 0},
    "fetch_wagers": {"pages": 1, "failures": 0},
    "handle_mail_events": {"bounced": 1, "complained": 0, "repeated": 0, "ignored": 0},
    "migrate": None,
    "record_pushes": {
        **dict.fromkeys(("sent", "dropped", "deferred", "retried", "given_up", "removed"), 0),
        "ignored": 1,
    },
    "queue_campaigns": {"queued": 0, "failed": 0, "ended": 0, "dropped": 0},
    "send_pushes": {"sent": 1, "refused": 0, "not_sent": 0, "repeated": 0},
    "settle_races": {"settled": 0, "failed": 0, "overdue": 0, "feeds_kept": 0},
}
KEYS = {
    "advance_races": (
        *("started", "completed", "created", "unknown_zones"),
        *("ended_exclusions", "outbox_age", "feed_age"),
    ),
    "grant_staff": ("user_id", "username", "granted"),
    "ingest_wagers": ("ingested", "entries", "bad", "readings", "races"),
    "purge_expired": retention.KINDS,
    "write_statements": ("written",),
    "send_notifications": ("sent", "dropped", "deferred", "retried", "given_up", "put_back", "handed_over"),
}


@pytest.fixture(scope="module")
def url(servers: stack.Stack) -> str:
    """A database of its own, which a later release has migrated: functions meet it during each deployment."""
    name = f"invoked_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    stack.copy(servers, name)
    later_release.migrate(servers.direct(name))
    return servers.direct(name)


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The affiliate API, push services and S3."""
    api = affiliate.AffiliateApi(affiliate.open_casino())
    with outside.serving(tmp_path_factory.mktemp("s3"), api) as base:
        yield base


@pytest.fixture(scope="module")
def plan(url: str, stand_ins: str) -> template.Template:
    """The template, on a database with the demo data."""
    base = f"http://127.0.0.1:{free_port()}"
    demo.load(url, base)
    values = template.build_parameters(url, base) | template.build_stand_in_parameters(stand_ins, {})
    return template.load(values | {"NotificationsTimeout": "15"}, base)


def read_as_described(route: str, answer: dict[str, Any]) -> dict[str, Any]:
    """Compare an answer with what the OpenAPI document says of its status, and return its JSON.

    The document leaves the pages out, which are for people: they are HTML.
    """
    method, _, path = route.partition(" ")
    kind = answer["headers"].get("Content-Type", "").partition(";")[0]
    body = answer.get("body") or ""
    if answer.get("isBase64Encoded"):
        body = gzip.decompress(base64.b64decode(body)).decode()
    if path not in OPENAPI["paths"] and kind == "text/html":
        assert body.startswith("<!doctype html>")
        return {}
    if path not in OPENAPI["paths"]:
        return dict(json.loads(body))
    described = OPENAPI["paths"][path][method.lower()]["responses"][str(answer["statusCode"])]
    if "$ref" in described:
        described = OPENAPI["components"]["responses"][described["$ref"].rpartition("/")[2]]
    assert kind in described["content"] if body else "content" not in described
    if not kind.endswith("json"):
        return {}
    document: dict[str, Any] = json.loads(body)
    OAS31Validator({**described["content"][kind]["schema"], "components": OPENAPI["components"]}).validate(document)
    return document


@on_linux
@pytest.mark.parametrize("name", NAMES)
def test_a_function_answers_its_sample_event(name: str, plan: template.Template, url: str, stand_ins: str) -> None:
    event = samples.prepare_event(name, url, stand_ins)
    answer = invoke(plan.function(name), event)
    if name in EXACT:
        assert answer == EXACT[name]
    elif name in KEYS:
        assert answer.keys() == set(KEYS[name])
    else:
        document = read_as_described(event["routeKey"], answer)
        if name in REFUSED:
            assert (document["status"], document["code"]) == (answer["statusCode"], REFUSED[name]), answer
        else:
            assert answer["statusCode"] == STATUS.get(name, 200), answer
    if name == "ingest_wagers":
        assert answer["ingested"] == 1
    if name == "migrate":
        assert json.loads(httpx.get(event["ResponseURL"], headers=s3.SIGNED).content)["Status"] == "SUCCESS"


@on_linux
@pytest.mark.parametrize("name", ["spin_wheel", "claim_code", "join_race", "log_out", "change_password", "erase_me"])
def test_a_sample_works_again(name: str, plan: template.Template, url: str, stand_ins: str) -> None:
    answers = [invoke(plan.function(name), samples.prepare_event(name, url, stand_ins)) for _ in range(2)]
    assert [answer["statusCode"] for answer in answers] == [STATUS[name]] * 2
