"""POST /v1/codes/claim, as Powertools' and SQLAlchemy's documentation would have it."""

import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.exceptions import NotFoundError, ServiceError
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict, StringConstraints
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from benchmarks.peers.naive.app import (
    Body,
    DatabaseSession,
    Money,
    app,
    get_caller,
    logger,
    metrics,
    refuse_unless_may_play,
)
from benchmarks.peers.naive.models import Attempt, BonusCode, CodeClaim, Reward, User

FAILURES, WINDOW = 10, timedelta(minutes=10)


class ClaimRequest(BaseModel):
    """The code as it was typed."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[str, StringConstraints(min_length=1, max_length=100)]


class Claim(Body):
    """A claim of a code."""

    id: int
    code: str
    value: Money | None
    currency: str
    claimed_at: datetime
    expires_at: datetime


@app.post("/v1/codes/claim", status_code=201)
def claim_code(body: ClaimRequest) -> Claim:
    """Claim a code, at most once."""
    now = datetime.now(UTC)
    with DatabaseSession() as session:
        user = get_caller(session, lock=True)
        _refuse_too_many_failures(session, user, now)
        key = re.sub(r"[\s-]", "", body.code).upper()
        code = session.scalars(select(BonusCode).where(BonusCode.code_key == key).with_for_update()).one_or_none()
        if code is None or code.spin_id is None or code.user_id != user.id:  # every winner may claim what they won
            refuse_unless_may_play(user)
        claim = None
        if code is not None:
            own = select(CodeClaim).where(CodeClaim.code_id == code.id, CodeClaim.user_id == user.id)
            claim = session.scalars(own).one_or_none()
        if code is None or (claim is None and not _is_claimable(code, user, now)):
            address = app.current_event.request_context.http.source_ip
            session.add(Attempt(kind="claim", subject=str(user.id), address=address, attempted_at=now))
            session.commit()
            raise NotFoundError("This code cannot be claimed")
        if claim is None:
            claim = _claim(session, code, user, now)
            session.commit()
        return Claim(
            id=claim.id,
            code=code.code,
            value=code.value,
            currency=code.currency,
            claimed_at=claim.claimed_at,
            expires_at=code.expires_at,
        )


def _refuse_too_many_failures(session: Session, user: User, now: datetime) -> None:
    failures = session.scalar(
        select(func.count(Attempt.id)).where(
            Attempt.kind == "claim", Attempt.subject == str(user.id), Attempt.attempted_at > now - WINDOW
        )
    )
    if failures is not None and failures >= FAILURES:
        raise ServiceError(HTTPStatus.TOO_MANY_REQUESTS, "Too many attempts")


def _is_claimable(code: BonusCode, user: User, now: datetime) -> bool:
    return (
        code.revoked_at is None
        and (code.starts_at is None or code.starts_at <= now)
        and code.expires_at > now
        and (code.max_claims is None or code.claims < code.max_claims)
        and not (code.is_used and code.claims == 0)
        and code.user_id in (None, user.id)
    )


def _claim(session: Session, code: BonusCode, user: User, now: datetime) -> CodeClaim:
    claim = CodeClaim(code_id=code.id, user_id=user.id, claimed_at=now)
    session.add(claim)
    if code.claims == 0:
        code.claimed_at = now
    code.claims += 1
    code.is_used = True
    if code.max_claims == 1:
        code.user_id = user.id
    if code.value is not None:
        session.add(
            Reward(
                user_id=user.id,
                source_type="code" if code.spin_id is None else "spin",
                source_id=code.spin_id or code.id,
                amount=code.value,
                currency=code.currency,
                created_at=now,
            )
        )
    return claim


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer an event."""
    answer = app.resolve(event, context)
    logger.info("answered", extra={"status": answer["statusCode"]})
    metrics.add_metric(name="Answered", unit="Count", value=1)
    return answer
