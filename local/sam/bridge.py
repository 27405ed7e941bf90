"""The way from a Docker container to the servers of `make run`, which listen on this machine's loopback interface.

Docker Desktop (macOS, Windows) leads `host.docker.internal` to the loopback interface of the machine. Docker Engine on
Linux leads it to the IP address of Docker's bridge, where no server of `make run` listens. There, a forwarder listens
for as long as a command needs it. Only containers, and hosts with a route to the bridge, can connect to it.
"""

import asyncio
import errno
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial

import docker
from docker.errors import DockerException

from local.ports import HOST

HOST_GATEWAY = "host-gateway"
"""Docker's placeholder for the IP address of the machine, in `--add-host`."""
CHUNK = 64 * 1024


class BridgeError(SystemExit):
    """Containers cannot reach this machine; the text says why. Uncaught, it ends the program."""


@contextmanager
def make_reachable(ports: Iterable[int]) -> Iterator[str]:
    """Let containers reach ports of the loopback interface under the name `host.docker.internal`.

    Yields
    ------
    What that name must be mapped to, by `--add-host`.

    Raises
    ------
    BridgeError: no Docker engine answers, or its bridge is not on this machine.

    """
    bridge_ip = _find_bridge_ip() if sys.platform == "linux" else None
    if bridge_ip is None:
        yield HOST_GATEWAY
    else:
        with _forwarding(bridge_ip, ports):
            yield bridge_ip


def _find_bridge_ip() -> str | None:
    """Return the IP address of Docker's bridge on this machine; None under Docker Desktop, which needs no forwarder."""
    try:
        client = docker.from_env(timeout=10)
        if client.info().get("OperatingSystem") == "Docker Desktop":
            return None
        bridge_ip: str = client.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"]
    except (DockerException, KeyError, IndexError) as error:
        raise BridgeError(
            f"No Docker engine answers ({error}): install and start Docker, or name its socket in DOCKER_HOST."
        ) from None
    return bridge_ip


@contextmanager
def _forwarding(bridge_ip: str, ports: Iterable[int]) -> Iterator[None]:
    """Forward connections to ports of an IP address to the same ports of the loopback interface, from a thread."""
    started: Future[Callable[[], object]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(bridge_ip, ports, started)), name="forwarder")
    thread.start()
    try:
        stop = started.result()
    except OSError as error:
        reason = "is not on this machine, as with rootless Docker: use the Docker engine of the system"
        if error.errno != errno.EADDRNOTAVAIL:
            reason = f"cannot be listened on ({error.strerror})"
        raise BridgeError(f"The IP address of Docker's bridge, {bridge_ip}, {reason}.") from None
    try:
        yield
    finally:
        stop()
        thread.join()


async def _serve(bridge_ip: str, ports: Iterable[int], started: Future[Callable[[], object]]) -> None:
    """Listen until the function that `started` gets is called; what is still open then is cut."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    try:
        servers = [await asyncio.start_server(partial(_forward, port), bridge_ip, port) for port in ports]
    except OSError as error:
        started.set_exception(error)
        return
    started.set_result(partial(loop.call_soon_threadsafe, ended.set))
    await ended.wait()
    for server in servers:
        server.close()


async def _forward(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection."""
    with suppress(OSError):
        there_reader, there_writer = await asyncio.open_connection(HOST, port)
        await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))
        there_writer.close()
    writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy one direction until its end, and pass the end on."""
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
