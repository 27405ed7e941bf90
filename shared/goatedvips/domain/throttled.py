"""The refusal of a throttle; `attempts` counts what it limits. This module imports no SQLAlchemy."""

import math
from datetime import datetime

from goatedvips.errors import TooManyAttempts


def too_many(opens_at: datetime, *, now: datetime) -> TooManyAttempts:
    """Return the refusal of an attempt before the throttle opens."""
    return TooManyAttempts(retry_after=max(1, math.ceil((opens_at - now).total_seconds())))
