"""PATCH /v1/admin/races/{id}/participants/{user_id}: staff disqualify a participant, or take that back."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.races import disqualification
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.fields import PathId
from goatedvips.validators.races.changes import Participant, ParticipantUpdate

api = HttpApi("staff")


@api.patch("/v1/admin/races/<id>/participants/<user_id>")
def update_participant(id: PathId, user_id: PathId, body: ParticipantUpdate) -> Participant:  # noqa: A002
    """It is possible until the race is settled. The places of the others move at once."""
    with transaction() as connection:
        participant = disqualification.change(
            connection, api.caller, id, user_id, disqualified=body.disqualified, reason=body.reason, now=utc_now()
        )
    return Participant.model_validate(participant)


handler = lambda_handler(api)
