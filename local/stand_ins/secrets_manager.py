"""A stand-in for AWS Secrets Manager: moto's, below /secrets of the local API."""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import Flask
from moto.moto_server.werkzeug_app import create_backend_app
from moto.secretsmanager.models import secretsmanager_backends
from werkzeug.test import run_wsgi_app

from local.worker import ACCOUNT, REGION

PREFIX = "/secrets"
AFFILIATE_TOKEN = "AffiliateToken"  # noqa: S105 - a name
PUSH_KEY = "PushKey"
"""The logical ids of the secrets, to which SAM CLI resolves their ARNs."""

type Environ = dict[str, Any]


def serve(app: Flask, secrets: Mapping[str, Mapping[str, str]]) -> None:
    """Add secrets to an application.

    Parameters
    ----------
    secrets: the fields of each secret, by its name.
    """
    for name, fields in secrets.items():
        put(name, fields)
    manager, others = create_backend_app("secretsmanager"), app.wsgi_app
    lock = threading.Lock()

    def answer(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"].rstrip("/") != PREFIX:
            return others(environ, start_response)
        with lock:
            parts, status, headers = run_wsgi_app(manager, environ | {"PATH_INFO": "/"}, buffered=True)
        start_response(status, list(headers))
        return list(parts)

    app.wsgi_app = answer  # type: ignore[method-assign]


def put(name: str, fields: Mapping[str, str]) -> None:
    """Give a secret of this process's stand-in another value."""
    backend = secretsmanager_backends[ACCOUNT][REGION]
    if name in backend.secrets:
        backend.secrets.pop(name)
    absent = dict.fromkeys(("secret_binary", "description", "tags", "kms_key_id", "client_request_token"))
    text = json.dumps(fields)
    backend.create_secret(name, secret_string=text, replica_regions=[], force_overwrite=False, **absent)
