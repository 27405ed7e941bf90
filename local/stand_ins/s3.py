"""A stand-in for Amazon S3: moto's, below /s3 of the local API, which reports each object that is put.

Objects are also written to a folder, because those of one `make run` are still needed in the next. Their metadata is
not.
"""

import threading
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
from flask import Flask
from moto.moto_server.werkzeug_app import create_backend_app
from moto.s3.models import s3_backends
from werkzeug.test import Client, run_wsgi_app

from local.worker import ACCOUNT, REGION

PREFIX = "/s3"
SIGNED = {"Authorization": f"AWS4-HMAC-SHA256 Credential=local/20260101/{REGION}/s3/aws4_request"}
"""The header of a request without boto3. moto reads the region from the signature, and verifies no signature."""
_BASE = "http://127.0.0.1"

type Event = dict[str, Any]
type Environ = dict[str, Any]


def serve(app: Flask, bucket: str, folder: Path, listener: Callable[[Event], None]) -> None:
    """Add the only bucket that there is to an application, with the objects of the folder.

    Parameters
    ----------
    folder: of the objects; it is made if it does not exist.
    listener: gets the event of each object that is put. The answer waits for it.
    """
    s3_backends.reset()
    s3, others = create_backend_app("s3"), app.wsgi_app
    client = Client(s3)
    lock = threading.Lock()  # two requests at once are too many for moto's backend
    client.put(f"/{bucket}", base_url=_BASE, headers=SIGNED)
    loaded: set[str] = set()

    def load(path: str) -> None:
        """Give moto the object of a path if it is in the folder; not all at the start, since there may be thousands."""
        file = folder / path.removeprefix(f"/{bucket}/")
        if path.startswith(f"/{bucket}/") and path not in loaded and file.is_file():
            client.put(path, data=file.read_bytes(), base_url=_BASE, headers=SIGNED)
        loaded.add(path)

    def answer(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith(f"{PREFIX}/"):
            return others(environ, start_response)
        path = environ["PATH_INFO"].removeprefix(PREFIX)
        name, _, key = path.removeprefix("/").partition("/")
        with lock:
            load(path)
            load("/" + unquote(environ.get("HTTP_X_AMZ_COPY_SOURCE", "")).removeprefix("/"))
            rest = {"PATH_INFO": path, "RAW_URI": path, "REQUEST_URI": path}
            parts, status, headers = run_wsgi_app(s3, environ | rest, buffered=True)
            body = b"".join(parts)
            is_new = environ["REQUEST_METHOD"] == "PUT" and status.startswith("200") and name == bucket and key
            content = client.get(path, base_url=_BASE, headers=SIGNED).data if is_new else b""
        if is_new:
            (folder / key).parent.mkdir(parents=True, exist_ok=True)
            (folder / key).write_bytes(content)
            listener(build_event(bucket, key, len(content), headers.get("ETag", "").strip('"'), datetime.now(UTC)))
        start_response(status, list(headers))
        return [body]

    app.wsgi_app = answer  # type: ignore[method-assign]


def put(base: str, bucket: str, key: str, content: bytes) -> None:
    """Put an object into the bucket of a running stand-in.

    Parameters
    ----------
    base: the URL of the server.

    Raises
    ------
    httpx.HTTPError
    """
    url = f"{base}{PREFIX}/{bucket}/{key}"
    httpx.put(url, content=content, headers=SIGNED, trust_env=False).raise_for_status()


def read(base: str, bucket: str, key: str) -> bytes:
    """Return the content of an object of a running stand-in; see `put`."""
    answer = httpx.get(f"{base}{PREFIX}/{bucket}/{key}", headers=SIGNED, trust_env=False)
    return answer.raise_for_status().content


def build_event(bucket: str, key: str, size: int, etag: str, now: datetime) -> Event:
    """Return the event that S3 sends through EventBridge for an object that was put.

    The shape: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html

    Parameters
    ----------
    size: in bytes.
    now: aware.
    """
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": ACCOUNT,
        "time": f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": REGION,
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket},
            "object": {"key": key, "size": size, "etag": etag, "sequencer": f"{int(now.timestamp() * 10**6):016X}"},
            "request-id": uuid.uuid4().hex[:16].upper(),
            "requester": ACCOUNT,
            "source-ip-address": "127.0.0.1",
            "reason": "PutObject",
        },
    }
