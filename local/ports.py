"""Ports of the loopback interface. It runs on Python 3.8 too: `make run` calls it before the environment exists."""

import os
import socket
import sys

HOST = "127.0.0.1"
API_PORT = 3000
LARGEST_PORT = 65535


def chosen_port(default: int = API_PORT, command: str = "make run") -> int:
    """Return the port that a command shall serve on: PORT, or else the default.

    Raises
    ------
    SystemExit: PORT is no port, or the port is taken; the text says so.

    """
    given = os.environ.get("PORT") or str(default)
    if not given.isdigit() or not 0 < int(given) <= LARGEST_PORT:
        sys.exit(f"PORT={given} is no port: choose a number from 1 to {LARGEST_PORT}.")
    port = int(given)
    if not is_free(port):
        sys.exit(
            f"Port {port} is taken, perhaps by another `{command}`: end the program that uses it, "
            f"or choose another port, as in `{command} PORT={port + 1}`."
        )
    return port


def is_free(port: int) -> bool:
    """Return whether a server could listen on a port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


if __name__ == "__main__":
    chosen_port()
