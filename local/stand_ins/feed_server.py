"""The stand-ins for the affiliate API, Amazon S3 and AWS Secrets Manager on a server of their own: no platform runs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask

from local.gateway.server import Server
from local.ports import HOST
from local.stand_ins import affiliate, s3, secrets_manager
from local.stand_ins.affiliate import AffiliateApi
from local.template import FEED_BUCKET


@contextmanager
def serving(
    folder: Path,
    api: AffiliateApi,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    listener: Callable[[s3.Event], None] = lambda _: None,
) -> Iterator[str]:
    """Serve all until the end of the block, and give their common base URL. The affiliate API needs no token.

    Parameters
    ----------
    folder: of the bucket's objects.
    clock: returns the present instant of the affiliate API, aware.
    listener: gets the event of each object that is put.
    """
    app = Flask(__name__)
    affiliate.serve(app, api, clock)
    s3.serve(app, FEED_BUCKET, folder, listener)
    secrets_manager.serve(app, {secrets_manager.AFFILIATE_TOKEN: {"token": ""}})
    server = Server(HOST, 0, app)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
