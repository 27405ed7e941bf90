"""The stand-ins for what functions outside the VPC use, for the local API or on a server of their own."""

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
from local.stand_ins.push import key, routes
from local.stand_ins.push.service import PushService
from local.template import FEED_BUCKET


def add(
    app: Flask,
    folder: Path,
    api: AffiliateApi,
    clock: Callable[[], datetime],
    listener: Callable[[s3.Event], None],
    token: str = "",
) -> None:
    """Add all to an application.

    Parameters
    ----------
    folder: of the bucket's objects.
    clock: returns the present instant of the affiliate API and the push services, aware.
    listener: gets the event of each object that is put.
    token: for the affiliate API; empty if it needs none.
    """
    affiliate.serve(app, api, clock)
    s3.serve(app, FEED_BUCKET, folder, listener)
    routes.serve(app, PushService(key.PUBLIC_KEY, clock))
    secrets = {secrets_manager.AFFILIATE_TOKEN: {"token": token}}
    secrets_manager.serve(app, secrets | {secrets_manager.PUSH_KEY: {"private_key": key.PRIVATE_KEY}})


@contextmanager
def serving(
    folder: Path,
    api: AffiliateApi,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    listener: Callable[[s3.Event], None] = lambda _: None,
) -> Iterator[str]:
    """Serve all until the end of the block, and give their common base URL; see `add`."""
    app = Flask(__name__)
    add(app, folder, api, clock, listener)
    server = Server(HOST, 0, app)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
