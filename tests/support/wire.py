"""Counts round trips on the wire: a TCP proxy in front of a server, where a trip begins with bytes after an answer."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

HOST = "127.0.0.1"


class Wire:
    """A port that leads to another, and counts the round trips of every connection through it.

    Parameters
    ----------
    delay: seconds by which what a client sends is delayed.
    """

    def __init__(self, upstream: int, *, delay: float = 0) -> None:
        self.trips = 0
        self.connections = 0
        self.sent: list[bytes] = []
        self._upstream = upstream
        self._delay = delay
        self._listener = socket.create_server((HOST, 0))
        self._open: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def count(self, work: Callable[[], Any]) -> int:
        """How many round trips this work takes."""
        before = self.trips
        work()
        return self.trips - before

    def cut(self) -> None:
        """Break every connection, as a failover does."""
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection((HOST, self._upstream))
                self.connections += 1
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._open.append(end)
                answered = threading.Event()
                answered.set()
                threading.Thread(target=self._forward, args=(client, server, answered, True), daemon=True).start()
                threading.Thread(target=self._forward, args=(server, client, answered, False), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, answered: threading.Event, asks: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if not asks:
                    answered.set()
                elif data[:1] != b"X":  # Terminate wants no answer
                    self.trips += answered.is_set()
                    answered.clear()
                    self.sent.append(data)
                    time.sleep(self._delay)
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
