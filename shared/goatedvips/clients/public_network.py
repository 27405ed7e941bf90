"""Connections to hosts on the internet only: never to an address of a private network, whatever a host resolves to."""

import asyncio
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

import httpcore

_NAT64: Final = IPv6Network("64:ff9b::/96")
"""Each of its addresses has an IPv4 address as its last 32 bits (RFC 6052)."""


class NotPublicError(httpcore.ConnectError):
    """The host has an address that is not public."""


class PublicNetwork(httpcore.AsyncNetworkBackend):
    """Connects to port 443 of a host if all of its addresses are public.

    The host is resolved once for a connection, which then goes to an address that was checked. A look-up runs in a
    thread, which cannot be cancelled: `close` does not wait for it.

    Parameters
    ----------
    most_lookups: at the same time.
    network: connects to an address that was checked.
    """

    def __init__(self, most_lookups: int, network: httpcore.AsyncNetworkBackend | None = None) -> None:
        self._network = network or httpcore.AnyIOBackend()
        self._lookups = ThreadPoolExecutor(most_lookups)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - of the class that it extends
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that takes the connection.

        Raises
        ------
        NotPublicError
        httpcore.ConnectError: the host has no address, or none takes the connection.
        """
        if port != 443:  # noqa: PLR2004 - https
            raise NotPublicError("another port than 443")
        failure = httpcore.ConnectError("no address")
        for address in await self._resolve(host, port):
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError as error:
                failure = error
        raise failure

    async def _resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host, each once."""
        lookup = asyncio.get_running_loop().run_in_executor
        try:
            found = await lookup(self._lookups, socket.getaddrinfo, host, port, socket.AF_UNSPEC, socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError("no address") from error
        addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
        if not all(is_public(ip_address(address)) for address in addresses):
            raise NotPublicError("an address that is not public")
        return addresses

    async def sleep(self, seconds: float) -> None:
        """Wait, as the pool of connections asks for between its own tries."""
        await self._network.sleep(seconds)

    def close(self) -> None:
        """Begin no further look-up."""
        self._lookups.shutdown(wait=False, cancel_futures=True)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Return whether an address is one of the internet, and so is the IPv4 address that it stands for."""
    if isinstance(address, IPv6Address) and (address in _NAT64 or address.ipv4_mapped):
        return is_public(IPv4Address(address.packed[-4:]))
    return address.is_global and not address.is_multicast
