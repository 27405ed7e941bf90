"""POST /v1/wheel/spins, as Powertools' and SQLAlchemy's documentation would have it."""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.exceptions import ServiceError
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict, StringConstraints
from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError
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
from benchmarks.peers.naive.models import BonusCode, User, WheelSeed, WheelSpin, WheelVersion

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


class SpinRequest(BaseModel):
    """The member's part in the draw."""

    model_config = ConfigDict(extra="forbid")

    client_seed: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None


class Segment(Body):
    """A segment of the wheel."""

    label: str
    weight: int
    value: Money


class Fairness(Body):
    """What the draw can be repeated from."""

    server_seed_hash: str
    client_seed: str
    nonce: int
    server_seed: str | None = None


class Spin(Body):
    """A spin."""

    id: int
    segment_index: int
    segment: Segment
    reward_code: str | None
    fairness: Fairness
    next_spin_at: datetime


@app.post("/v1/wheel/spins", status_code=201)
def spin_wheel(body: SpinRequest) -> Spin:
    """Draw the member's spin of this UTC day."""
    now = datetime.now(UTC)
    with DatabaseSession() as session:
        user = get_caller(session, lock=True)
        refuse_unless_may_play(user)
        seed = _active_seed(session, user, now)
        in_force = or_(WheelVersion.in_force_from.is_(None), WheelVersion.in_force_from <= now)
        wheel = session.scalars(select(WheelVersion).where(in_force).order_by(WheelVersion.id.desc()).limit(1)).one()
        client_seed = body.client_seed or seed.client_seed
        index = _draw(seed.server_seed, client_seed, seed.nonce, [segment["weight"] for segment in wheel.segments])
        segment = Segment.model_validate(wheel.segments[index])
        code = (
            "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(4)) if segment.value else None
        )
        spin = WheelSpin(
            user_id=user.id,
            segment_index=index,
            reward_code=code,
            timestamp=now,
            spin_day=now.date(),
            version_id=wheel.id,
            seed_id=seed.id,
            nonce=seed.nonce,
            client_seed=client_seed,
        )
        session.add(spin)
        try:
            session.flush()
        except IntegrityError:
            raise ServiceError(HTTPStatus.CONFLICT, "You have spun today") from None
        nonce = seed.nonce
        seed.nonce += 1
        seed.client_seed = client_seed
        if code is not None:
            session.add(
                BonusCode(
                    code=code,
                    code_key=func.code_key(code),
                    user_id=user.id,
                    claimed_at=now,
                    expires_at=now + timedelta(hours=24),
                    value=segment.value,
                    max_claims=1,
                    spin_id=spin.id,
                )
            )
        session.commit()
        return Spin(
            id=spin.id,
            segment_index=index,
            segment=segment,
            reward_code=code,
            fairness=Fairness(
                server_seed_hash=hashlib.sha256(seed.server_seed).hexdigest(), client_seed=client_seed, nonce=nonce
            ),
            next_spin_at=datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1),
        )


def _active_seed(session: Session, user: User, now: datetime) -> WheelSeed:
    statement = select(WheelSeed).where(
        WheelSeed.user_id == user.id, WheelSeed.activated_at.is_not(None), WheelSeed.revealed_at.is_(None)
    )
    seed = session.scalars(statement.with_for_update()).one_or_none()
    if seed is None:
        fields = {"user_id": user.id, "client_seed": str(user.id), "created_at": now}
        seed = WheelSeed(server_seed=secrets.token_bytes(32), activated_at=now, **fields)
        session.add_all([seed, WheelSeed(server_seed=secrets.token_bytes(32), **fields)])
        session.flush()
    return seed


def _draw(server_seed: bytes, client_seed: str, nonce: int, weights: list[int]) -> int:
    total, round_number = sum(weights), 0
    while True:
        digest = hmac.digest(server_seed, f"{client_seed}:{nonce}:{round_number}".encode(), "sha256")
        for start in range(0, 32, 8):
            number = int.from_bytes(digest[start : start + 8])
            if number < 2**64 // total * total:
                place = number % total
                for index, weight in enumerate(weights):
                    if place < weight:
                        return index
                    place -= weight
        round_number += 1


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer an event."""
    answer = app.resolve(event, context)
    logger.info("answered", extra={"status": answer["statusCode"]})
    metrics.add_metric(name="Answered", unit="Count", value=1)
    return answer
