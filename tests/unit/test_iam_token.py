"""The IAM token, compared with the one that botocore makes."""

import http.server
import json
import threading
from datetime import UTC, datetime
from urllib.parse import parse_qs

import boto3
import pytest

from goatedvips import iam_token

KEYS = iam_token.Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session/token+with=signs")
HOST = "proxy.example.eu-central-1.rds.amazonaws.com"


@pytest.mark.parametrize("session", [KEYS.token, ""])
def test_the_token_equals_that_of_botocore(session: str) -> None:
    client = boto3.Session(KEYS.access_key, KEYS.secret_key, session or None).client("rds", region_name="eu-central-1")
    botocore_token = client.generate_db_auth_token(HOST, 5432, "api")
    signed_at = datetime.strptime(parse_qs(botocore_token)["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    own_token = iam_token.sign(
        HOST, 5432, "api", region="eu-central-1", keys=KEYS._replace(token=session), now=signed_at
    )
    assert own_token.partition("?")[0] == botocore_token.partition("?")[0]
    assert parse_qs(own_token.partition("?")[2]) == parse_qs(botocore_token.partition("?")[2])


def test_keys_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", raising=False)
    for name, value in zip(("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"), KEYS, strict=True):
        monkeypatch.setenv(f"AWS_{name}", value)
    assert iam_token.credentials() == KEYS


def test_under_snapstart_keys_come_from_the_container_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endpoint(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tokens.append(self.headers["Authorization"])
            self.send_response(200)
            self.end_headers()
            answer = {"AccessKeyId": KEYS.access_key, "SecretAccessKey": KEYS.secret_key, "Token": KEYS.token}
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            pass

    tokens: list[str] = []
    server = http.server.HTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.handle_request, daemon=True).start()
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{server.server_port}/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "let-me-in")
    assert iam_token.credentials() == KEYS
    assert tokens == ["let-me-in"]
    server.server_close()
