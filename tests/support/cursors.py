"""Cursors that no page gave, but that have the form of one."""

from base64 import urlsafe_b64encode

from goatedvips.domain.pagination import Keyset


def forge(keyset: Keyset, *numbers: int) -> str:
    """Make a cursor of the list with this keyset, at any position."""
    return urlsafe_b64encode(",".join(map(str, [keyset._mark, *numbers])).encode()).decode()
