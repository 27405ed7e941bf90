"""Invoked by hand, as `make staff USER=name` does: makes a member one of the staff, the first one among them."""

from dataclasses import asdict
from typing import Any

from goatedvips.db import transaction
from goatedvips.domain.members import changes
from goatedvips.schedule import logger
from goatedvips.validators.members import GrantStaff


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Answer `{"username": "…"}` with who it is, and whether they were not staff before."""
    wanted = GrantStaff.model_validate(event)
    with transaction() as connection:
        grant = changes.grant_staff(connection, wanted.username)
    logger.info("made staff" if grant.granted else "has been staff", extra={"user_id": grant.user_id})
    return asdict(grant)
