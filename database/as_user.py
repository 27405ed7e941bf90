"""Become what PostgreSQL accepts, then be replaced by it: `python as_user.py UID GID PROGRAM ARGUMENTS…`.

PostgreSQL refuses to run as root. Root therefore enters a user namespace in which its own files belong to an ordinary
user; where the kernel forbids that, the program runs as the given user. On Linux the kernel also signals the program to
shut down fast when the process that started it dies, so that not even `kill -9` leaves a server behind.

Run as a script by a fresh interpreter: a namespace can only be entered by a process with a single thread.
"""

import ctypes
import os
import signal
import sys

SET_PARENT_DEATH_SIGNAL = 1


def leave_root(uid: int, gid: int) -> None:
    """Stop being root: by a user namespace, else by becoming the given user."""
    try:
        os.unshare(os.CLONE_NEWUSER)
        for name, text in (("setgroups", "deny"), ("uid_map", "1000 0 1"), ("gid_map", "1000 0 1")):
            with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123  pathlib would double the start-up time
                file.write(text)
    except (AttributeError, OSError):
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def main() -> None:
    """Drop root where needed and execute the program."""
    uid, gid, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    parent = os.getppid()
    if os.geteuid() == 0:
        leave_root(uid, gid)
    if sys.platform == "linux":
        # After the change of user, which would clear it.
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGINT)
        if os.getppid() != parent:
            sys.exit("the process that asked for PostgreSQL is gone")
    os.execv(program, sys.argv[3:])  # noqa: S606  the caller is our own embedded.py


if __name__ == "__main__":
    main()
