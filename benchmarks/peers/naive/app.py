"""What the three handlers share: resolver, logger, metrics, database sessions and the check of the caller."""

import os
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, CORSConfig
from aws_lambda_powertools.event_handler.exceptions import ForbiddenError, UnauthorizedError
from pydantic import BaseModel, ConfigDict, PlainSerializer
from sqlalchemy import create_engine, make_url, select
from sqlalchemy.orm import Session, contains_eager, sessionmaker

from benchmarks.peers.naive.models import User, UserSession

logger = Logger()
metrics = Metrics()
app = APIGatewayHttpResolver(enable_validation=True, cors=CORSConfig())
engine = create_engine(
    make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+pg8000"),
    pool_size=1,
    max_overflow=0,
    pool_pre_ping=True,
)
DatabaseSession = sessionmaker(engine)
email_must_be_verified = os.environ.get("VERIFIED_EMAIL_REQUIRED") == "true"


type Money = Annotated[Decimal, PlainSerializer(lambda amount: f"{amount:.2f}", return_type=str)]


class Body(BaseModel):
    """The base of answers."""

    model_config = ConfigDict(from_attributes=True)


def get_caller(session: Session, *, lock: bool = False) -> User:
    """Return the member whom the authorizer reported, if they are still signed in."""
    context = app.current_event.request_context.authorizer.get_lambda or {}
    if "session_id" not in context:
        raise UnauthorizedError("not signed in")
    statement = (
        select(UserSession)
        .join(UserSession.user)
        .options(contains_eager(UserSession.user))
        .where(UserSession.id == context["session_id"])
    )
    if lock:
        statement = statement.with_for_update(of=User, read=True)
    found = session.scalars(statement).one_or_none()
    if (
        found is None
        or found.user_id != context["user_id"]
        or found.ended_at is not None
        or found.expires_at <= datetime.now(UTC)
        or found.user.erased_at is not None
    ):
        raise UnauthorizedError("not signed in")
    if found.user.suspended_at is not None:
        raise ForbiddenError("suspended")
    return found.user


def refuse_unless_may_play(user: User) -> None:
    """Refuse a member who is excluded, or whose e-mail address must be verified first."""
    if user.excluded_permanently or user.excluded_until is not None:
        raise ForbiddenError("excluded")
    if email_must_be_verified and not user.email_verified:
        raise ForbiddenError("e-mail address not verified")
