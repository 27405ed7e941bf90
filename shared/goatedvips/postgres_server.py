"""The database server: where it listens, whom to trust there and how to sign in.

Every connection of the functions is made with it: SQLAlchemy's in `goatedvips.db`, and the authorizer's in
`goatedvips.light_connection`.  So it imports little.  A `Server` made at import can stay in a SnapStart snapshot: it
holds no connection, no random value, and on AWS no secret.
"""

import encodings.idna  # noqa: F401 - else the first connection waits for it: host names are encoded with it
import os
import socket
from urllib.parse import unquote, urlsplit

from goatedvips.clock import utc_now

LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1", "host.docker.internal"}
"""This machine; the last is its name in a Docker container. Connections to all others use TLS with verification."""

IDLE_LIMIT = 60.0
"""Seconds without use after which a connection is replaced: the server may have closed it while Lambda froze us."""

AMAZON_ROOTS = os.path.join(os.path.dirname(__file__), "amazon_roots.pem")  # noqa: PTH118, PTH120 - pathlib takes 3 ms
"""Certificate authorities of Amazon Trust Services: an RDS Proxy's certificate is from AWS Certificate Manager.

Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy.howitworks.html and
https://www.amazontrust.com/repository/. Reading the 144 authorities of the system instead takes about 25 ms.
"""


class Server:
    """A database, and how to connect to it.

    Parameters
    ----------
    url: postgresql://user[:password]@host[:port]/database
    iam: whether each connection signs in with an IAM token as its password.
    ca_file: a PEM file with the certificate authorities to trust; empty: `AMAZON_ROOTS`.
    timeout: seconds to wait for a connection and for each answer; None: no limit.
    """

    def __init__(self, url: str, *, iam: bool, ca_file: str, timeout: float | None) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "localhost", parts.port or 5432
        self.user, self.database = unquote(parts.username or ""), unquote(parts.path[1:])
        self.timeout = timeout
        self.tls = None
        if self.host not in LOCAL_HOSTS:
            import ssl  # 5 MB

            self.tls = ssl.create_default_context(cafile=ca_file or AMAZON_ROOTS)
        self._iam = iam
        if iam:
            from goatedvips import iam_token  # noqa: F401 - so that no request waits for the import

        self._password = None if parts.password is None else unquote(parts.password)

    def password(self) -> str | None:
        """Return the password of a new connection, as an IAM token if that is configured; None: there is none.

        Raises
        ------
        OSError: the container endpoint with the role's keys did not answer.
        """
        if not self._iam:
            return self._password
        from goatedvips import iam_token

        keys, region = iam_token.credentials(), os.environ["AWS_REGION"]
        return iam_token.sign(self.host, self.port, self.user, region=region, keys=keys, now=utc_now())

    def open_socket(self) -> socket.socket:
        """Return a connected socket, with verified TLS unless the host is local.

        Raises
        ------
        OSError: the server did not answer, has no TLS or cannot prove its name.
        """
        opened = socket.create_connection((self.host, self.port), self.timeout)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self.tls is None:
            return opened
        opened.sendall(_TLS_REQUEST)
        if opened.recv(1) != b"S":
            opened.close()
            raise ConnectionError("the server has no TLS")
        return self.tls.wrap_socket(opened, server_hostname=self.host)


# Source: https://www.postgresql.org/docs/current/protocol-message-formats.html, SSLRequest
_TLS_REQUEST = (8).to_bytes(4) + (80877103).to_bytes(4)
