"""PUT /v1/admin/wheel: staff publish a new version of the wheel."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.wheel import versions
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.wheel import WheelRequest, WheelVersion

api = HttpApi("staff")


@api.put("/v1/admin/wheel", status_code=201)
def publish_wheel(body: WheelRequest) -> WheelVersion:
    """It is in force from the next UTC midnight. Of several that are published in one day, the last one is.

    Until then `GET /v1/wheel` shows it as `next`. Spins keep the version on which they were drawn.
    """
    segments = [versions.NewSegment(**segment.model_dump()) for segment in body.segments]
    with transaction() as connection:
        return WheelVersion.model_validate(versions.publish(connection, api.caller, segments, now=utc_now()))


handler = lambda_handler(api)
