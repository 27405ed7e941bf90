"""What SES refuses: for the account, for the message, or for any other reason."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from goatedvips.clients import ses
from goatedvips.config import settings
from goatedvips.domain.notifications.sending import FIRST_PAUSE, TRIES
from tests.integration.notifications.conftest import NONE, NOON, Run, Send, put, row, verification
from tests.support.members import Members

URL = "https://email.us-east-1.amazonaws.com"


class Client:
    """SES's client, which answers each request as a test says."""

    def __init__(self, answer: Callable[[dict[str, Any]], Exception | None]) -> None:
        self.answer = answer
        self.requests: list[dict[str, Any]] = []

    def send_email(self, **request: Any) -> dict[str, str]:
        self.requests.append(request)
        error = self.answer(request)
        if error is not None:
            raise error
        return {"MessageId": f"message-{len(self.requests)}"}


def answered(code: str, status: int, quoting: str = "") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": quoting}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "SendEmail",
    )


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    made = Client(lambda _: None)
    monkeypatch.setattr(ses, "_client", lambda: made)
    return made


def alarms(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The names in the alarm metrics that were written."""
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    return [metric["name"] for metric in written if metric.get("Alarm") == [1.0]]


ACCOUNT = [
    answered("TooManyRequestsException", 429),
    answered("LimitExceededException", 400),
    answered("SendingPausedException", 400),
    answered("AccountSuspendedException", 400),
    answered("MailFromDomainNotVerifiedException", 400),
    answered("MessageRejected", 400, "Email address is not verified: GoatedVIPs <no-reply@goatedvips.example>"),
    answered("AccessDeniedException", 403),
    answered("ExpiredTokenException", 403),
    answered("InternalFailure", 500),
    answered("ServiceUnavailable", 503),
    ReadTimeoutError(endpoint_url=URL),
    ConnectTimeoutError(endpoint_url=URL),
    EndpointConnectionError(endpoint_url=URL),
    ConnectionClosedError(endpoint_url=URL),
]


@pytest.mark.parametrize("error", ACCOUNT, ids=str)
def test_a_refusal_of_the_account_counts_no_try_and_ends_the_batch(
    database: sa.Engine,
    members: Members,
    send: Send,
    client: Client,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
) -> None:
    ids = [verification(database, members)[1] for _ in range(3)]
    client.answer = lambda _: error
    assert send(context=Run(looks=3)) == NONE | {"put_back": 1}
    assert alarms(capsys) == ["ses_refuses_account"]
    assert len(client.requests) == 1, "the others of the batch are not tried"
    for mail_id in ids:
        after = row(database, mail_id)
        assert (after.attempts, after.leased_until, after.due_at, after.failed_at) == (0, None, NOON, None)
    client.answer = lambda _: None
    assert send(NOON + timedelta(seconds=1)) == NONE | {"sent": 3}


def test_no_mail_is_lost_in_a_long_pause_of_the_account(
    database: sa.Engine, members: Members, send: Send, client: Client
) -> None:
    _, mail_id = verification(database, members)
    client.answer = lambda _: answered("SendingPausedException", 400)
    for hour in range(24):
        assert send(NOON + timedelta(hours=hour))["given_up"] == 0
    client.answer = lambda _: None
    assert send(NOON + timedelta(days=1))["sent"] == 1
    assert row(database, mail_id).attempts == 1


def test_the_pauses_between_refusals_of_the_account_grow(
    database: sa.Engine, members: Members, send: Send, client: Client
) -> None:
    verification(database, members)
    client.answer = lambda _: answered("TooManyRequestsException", 429)
    context = Run(looks=15)
    send(context=context)
    assert [pause for pause in context.slept if pause >= 2] == [4.0, 8.0, 16.0, 16.0, 16.0]


@pytest.mark.parametrize("code", ["MessageRejected", "BadRequestException"])
def test_a_refusal_of_the_message_gives_it_up_at_once_without_an_alarm(
    database: sa.Engine, members: Members, send: Send, client: Client, capsys: pytest.CaptureFixture[str], code: str
) -> None:
    (bad, bad_id), (_, good_id) = verification(database, members), verification(database, members)
    client.answer = lambda request: (
        answered(code, 400, str(request)) if request["Destination"]["ToAddresses"] == [bad.email] else None
    )
    assert send() == NONE | {"sent": 1, "dropped": 1}
    assert alarms(capsys) == []
    after = row(database, bad_id)
    assert (after.dropped_at, after.dropped_reason, after.failed_at, after.leased_until) == (NOON, code, None, None)
    assert row(database, good_id).sent_at is not None
    assert send(NOON + timedelta(days=1)) == NONE


def test_any_other_error_is_retried_with_growing_pauses_and_given_up_with_an_alarm(
    database: sa.Engine, members: Members, send: Send, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    client.answer = lambda request: answered("ConflictException", 409, str(request))
    _, mail_id = verification(database, members)
    now, pauses = NOON, []
    for attempt in range(1, TRIES + 1):
        done = send(now)
        assert done["given_up" if attempt == TRIES else "retried"] == 1
        after = row(database, mail_id)
        assert (after.attempts, after.leased_until) == (attempt, None)
        assert after.last_error == "Refused ConflictException", "no message, which may quote the token"
        assert alarms(capsys) == (["outbox_given_up"] if attempt == TRIES else [])
        if attempt < TRIES:
            assert after.failed_at is None
            assert send(after.due_at - timedelta(minutes=1), Run(looks=3))["retried"] == 0
            capsys.readouterr()
            pauses.append(after.due_at - now)
            now = after.due_at
    assert pauses == [FIRST_PAUSE * 2**turn for turn in range(TRIES - 1)]
    assert row(database, mail_id).failed_at == now
    assert send(now + timedelta(days=365)) == NONE
    assert len(client.requests) == TRIES


@pytest.mark.parametrize("tenant", ["", "goats"])
def test_mail_goes_by_the_tenant_of_the_stack_if_it_has_one(
    tenant: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "mail_tenant", tenant)
    ses.send("ann@example.com", "subject", "text", "html", headers={}, configuration_set="bulk", tags={})
    (request,) = client.requests
    assert (request["ConfigurationSetName"], request.get("TenantName", "")) == ("bulk", tenant)
    assert ("TenantName" in request) == bool(tenant)


def test_one_faulty_mail_does_not_delay_the_others(
    database: sa.Engine, members: Members, send: Send, client: Client
) -> None:
    unknown = put(database, "telegram", priority=0)
    (bad, _), (good, _) = verification(database, members), verification(database, members)
    client.answer = lambda request: (
        NoCredentialsError() if request["Destination"]["ToAddresses"] == [bad.email] else None
    )
    assert send() == NONE | {"sent": 1, "retried": 2}
    assert client.requests[-1]["Destination"]["ToAddresses"] == [good.email]
    assert row(database, unknown).last_error == "LookupError"
