"""A server certificate from an authority of the test's own, and a TLS front for PostgreSQL, whose package has none."""

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
TLS_REQUEST_SIZE = 8


def write_certificates(folder: Path, *, host: str = HOST, names: Iterable[str] = ()) -> tuple[Path, Path]:
    """Write an authority's certificate, and a server's key and certificate for this host; return the two files.

    Parameters
    ----------
    names: of further hosts; `*.example.com` stands for each host of that domain.
    """
    now = datetime.now(UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    subjects = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("authority", "server")]

    def certificate(number: int, *extensions: tuple[x509.ExtensionType, bool]) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subjects[number])
            .issuer_name(subjects[0])
            .public_key(keys[number].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
        )
        identifiers = (
            (x509.SubjectKeyIdentifier.from_public_key(keys[number].public_key()), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key()), False),
        )
        for extension, critical in (*extensions, *identifiers):
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    authority, server = folder / "authority.pem", folder / "server.pem"
    authority.write_bytes(certificate(0, (x509.BasicConstraints(ca=True, path_length=0), True), (usage, True)))
    key = keys[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    hosts = [x509.IPAddress(ipaddress.ip_address(host)), *(x509.DNSName(name) for name in names)]
    alternative = x509.SubjectAlternativeName(hosts)
    server.write_bytes(key + certificate(1, (alternative, False)))
    return authority, server


@contextmanager
def tls_front(upstream: int, certificate: Path | None) -> Iterator[int]:
    """Yield a port that takes TLS and forwards to another; without a certificate it refuses TLS, as PostgreSQL does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate is not None:
        context.load_cert_chain(certificate)

    def serve(client: socket.socket) -> None:
        with suppress(OSError):
            client.recv(TLS_REQUEST_SIZE)
            client.sendall(b"N" if certificate is None else b"S")
            if certificate is not None:
                secured = context.wrap_socket(client, server_side=True)
                server = socket.create_connection((HOST, upstream))
                threading.Thread(target=forward, args=(server, secured), daemon=True).start()
                forward(secured, server)

    def forward(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        target.close()

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    listener = socket.create_server((HOST, 0))
    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()
