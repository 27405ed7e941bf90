"""The client's network, by which the throttles count."""

import hmac
import re
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Any

from goatedvips.config import settings

type Event = dict[str, Any]

_WITH_PORT = re.compile(r"\[(.+)\](?::\d+)?|([\d.]+):\d+")
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052


def client_network(event: Event) -> str:
    """Return an IPv4 address, or the /64 network of an IPv6 address.

    An IPv6 address that contains an IPv4 address counts as that one, whose owner could otherwise use many of them.
    """
    source_ip = _source_ip(event)
    with_port = _WITH_PORT.fullmatch(source_ip)
    address = ip_address(with_port[1] or with_port[2] if with_port else source_ip)
    if isinstance(address, IPv4Address):
        return str(address)
    _, teredo_client = address.teredo or (None, None)
    translated = IPv4Address(int(address) & 0xFFFF_FFFF) if address in _NAT64 else None
    embedded = address.ipv4_mapped or address.sixtofour or teredo_client or translated
    return str(embedded or IPv6Network((address, 64), strict=False))


def _source_ip(event: Event) -> str:
    """Return the client's IP address: as CloudFront saw it, if the request proves that it came through CloudFront."""
    headers, secret = event["headers"], settings.origin_secret
    if secret and hmac.compare_digest(headers.get("x-origin-secret", "").encode(), secret.encode()):
        return str(headers["true-client-ip"])
    return str(event["requestContext"]["http"]["sourceIp"])
