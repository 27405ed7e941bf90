"""GET /v1/me, as Powertools' and SQLAlchemy's documentation would have it."""

from datetime import datetime
from typing import Any

from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from benchmarks.peers.naive.app import Body, DatabaseSession, Money, app, get_caller, logger, metrics


class Me(Body):
    """The member's own account."""

    id: int
    username: str
    email: str
    email_verified: bool
    is_staff: bool
    bio: str | None
    profile_color: str | None
    verified: bool
    uid: str | None
    hide_name: bool
    total_wager: Money
    wager_today: Money
    wager_week: Money
    wager_month: Money
    excluded_until: datetime | None
    excluded_permanently: bool
    created_at: datetime
    last_active: datetime | None


@app.get("/v1/me")
def get_me() -> Me:
    """Return the caller's account."""
    with DatabaseSession() as session:
        user = get_caller(session)
        return Me(
            id=user.id,
            username=user.username,
            email=user.email,
            email_verified=bool(user.email_verified),
            is_staff=user.is_admin,
            bio=user.bio,
            profile_color=user.profile_color,
            verified=user.verified,
            uid=user.uid,
            hide_name=user.hide_name,
            total_wager=user.total_wager,
            wager_today=user.wager_today,
            wager_week=user.wager_week,
            wager_month=user.wager_month,
            excluded_until=user.excluded_until,
            excluded_permanently=user.excluded_permanently,
            created_at=user.created_at,
            last_active=user.last_active,
        )


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer an event."""
    answer = app.resolve(event, context)
    logger.info("answered", extra={"status": answer["statusCode"]})
    metrics.add_metric(name="Answered", unit="Count", value=1)
    return answer
