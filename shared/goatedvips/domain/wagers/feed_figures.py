"""The figures of a feed: from JSON or text to exact decimals, rounded half-even to 8 places."""

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation

LIMIT = Decimal(10**10)
"""Every figure is below it, as numeric(18, 8) can hold no more."""
ZERO = Decimal(0)
_PLACES = Decimal("1e-8")
_ROUNDED_TO_LIMIT = LIMIT - _PLACES / 2
"""The lowest figure that rounding raises to `LIMIT`."""
_ROUNDING = Context(prec=28, rounding=ROUND_HALF_EVEN)
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_LONGEST_INT = 40  # digits; Python refuses to make an int of more than 4,300


def read_figure(value: object, absent: Decimal | None) -> Decimal | None:
    """Return a figure rounded to 8 places, `absent` for null, and None for what is no figure."""
    if type(value) is not Decimal:
        if value is None:
            return absent
        if isinstance(value, str):
            value = read_decimal(value) if _NUMBER.fullmatch(value) else None
        elif type(value) is int:
            value = Decimal(value) if value else ZERO
        if not isinstance(value, Decimal):
            return None
    if not ZERO <= value < _ROUNDED_TO_LIMIT:
        return None
    return _ROUNDING.quantize(value, _PLACES) or ZERO


def read_decimal(text: str) -> Decimal | None:
    """Return the number; None if its exponent is too large for a decimal."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def read_int(text: str) -> int | Decimal:
    """Return an integer of any length."""
    return int(text) if len(text) <= _LONGEST_INT else Decimal(text)
