"""The tables that the three handlers use, as classes of the ORM."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import DateTime, Dialect, ForeignKey, Numeric, TypeDecorator, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class UtcDateTime(TypeDecorator[datetime]):
    """Stores an aware datetime in UTC."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Convert to UTC."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Mark as UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """The base of all classes."""

    type_annotation_map = {datetime: UtcDateTime, Decimal: Numeric(18, 2), list[dict[str, Any]]: JSONB}  # noqa: RUF012


class User(Base):
    """A member."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str] = mapped_column(unique=True)
    is_admin: Mapped[bool]
    email_verified: Mapped[bool | None]
    bio: Mapped[str | None]
    profile_color: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_active: Mapped[datetime | None]
    uid: Mapped[str | None] = mapped_column(unique=True)
    total_wager: Mapped[Decimal] = mapped_column(Numeric(18, 8))
    wager_today: Mapped[Decimal] = mapped_column(Numeric(18, 8))
    wager_week: Mapped[Decimal] = mapped_column(Numeric(18, 8))
    wager_month: Mapped[Decimal] = mapped_column(Numeric(18, 8))
    verified: Mapped[bool]
    suspended_at: Mapped[datetime | None]
    excluded_until: Mapped[datetime | None]
    excluded_permanently: Mapped[bool]
    hide_name: Mapped[bool]
    erased_at: Mapped[datetime | None]

    sessions: Mapped[list["UserSession"]] = relationship(back_populates="user")


class UserSession(Base):
    """A session of a member."""

    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    user: Mapped[User] = relationship(back_populates="sessions")


class WheelVersion(Base):
    """A version of the wheel."""

    __tablename__ = "wheel_versions"

    id: Mapped[int] = mapped_column(primary_key=True)
    segments: Mapped[list[dict[str, Any]]]
    in_force_from: Mapped[datetime | None]


class WheelSeed(Base):
    """A server seed of a member."""

    __tablename__ = "wheel_seeds"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    server_seed: Mapped[bytes]
    client_seed: Mapped[str]
    nonce: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    activated_at: Mapped[datetime | None]
    revealed_at: Mapped[datetime | None]


class WheelSpin(Base):
    """A spin."""

    __tablename__ = "wheel_spins"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    segment_index: Mapped[int]
    reward_code: Mapped[str | None]
    timestamp: Mapped[datetime]
    spin_day: Mapped[date]
    version_id: Mapped[int] = mapped_column(ForeignKey("wheel_versions.id"))
    seed_id: Mapped[int] = mapped_column(ForeignKey("wheel_seeds.id"))
    nonce: Mapped[int]
    client_seed: Mapped[str]


class BonusCode(Base):
    """A bonus code."""

    __tablename__ = "bonus_codes"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    code_key: Mapped[str | None] = mapped_column(unique=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    claimed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    is_used: Mapped[bool] = mapped_column(default=False)
    value: Mapped[Decimal | None]
    currency: Mapped[str] = mapped_column(default="USD")
    starts_at: Mapped[datetime | None]
    max_claims: Mapped[int | None]
    claims: Mapped[int] = mapped_column(default=0)
    revoked_at: Mapped[datetime | None]
    spin_id: Mapped[int | None] = mapped_column(ForeignKey("wheel_spins.id"))


class CodeClaim(Base):
    """A claim of a bonus code."""

    __tablename__ = "code_claims"

    id: Mapped[int] = mapped_column(primary_key=True)
    code_id: Mapped[int] = mapped_column(ForeignKey("bonus_codes.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    claimed_at: Mapped[datetime]


class Attempt(Base):
    """A failed claim, which the throttle counts."""

    __tablename__ = "attempts"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    subject: Mapped[str]
    address: Mapped[str]
    attempted_at: Mapped[datetime]


class Reward(Base):
    """A value that was granted."""

    __tablename__ = "rewards"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    source_type: Mapped[str]
    source_id: Mapped[int]
    amount: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(default="USD")
    created_at: Mapped[datetime]
