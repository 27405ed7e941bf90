"""Makes a member staff, also the first one. Invoked by hand, as `make staff USER=name` does."""

from dataclasses import asdict
from typing import Any

from goatedvips import resume_garbage_collection
from goatedvips.db import transaction
from goatedvips.domain.members import changes
from goatedvips.runs import logger
from goatedvips.validators.members.changes import GrantStaff


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Take `{"username": "…"}` and return `{"user_id", "username", "granted"}`; `granted` is false if already staff."""
    wanted = GrantStaff.model_validate(event)
    with transaction() as connection:
        grant = changes.grant_staff(connection, wanted.username)
    logger.info("made staff" if grant.granted else "is already staff", extra={"user_id": grant.user_id})
    return asdict(grant)


resume_garbage_collection()
