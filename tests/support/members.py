"""Members for tests: written straight into the tables, with a live session each."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from goatedvips.domain.wheel import seeds as server_seeds
from goatedvips.models.accounts import sessions, users
from goatedvips.validators.tables import insert_schema


@dataclass(frozen=True)
class Member:
    """A signed-in member; `caller` is what the authorizer says of them."""

    id: int
    username: str
    email: str
    session_id: int
    token: str
    is_staff: bool

    @property
    def caller(self) -> dict[str, Any]:
        """The authorizer's context."""
        return {"user_id": self.id, "session_id": self.session_id, "is_staff": self.is_staff}


@dataclass(frozen=True)
class Members:
    """Makes them."""

    database: sa.Engine

    def new(
        self,
        *,
        seeds: bool = True,
        is_staff: bool = False,
        session_lifetime: timedelta = timedelta(days=30),
        **columns: Any,
    ) -> Member:
        """Make a member as `register` does; without seeds, one as adoption leaves them."""
        name, token = f"member-{secrets.token_hex(6)}", f"gvp_{secrets.token_urlsafe(32)}"
        given = {
            "username": name,
            "username_key": name,
            "email": f"{name}@example.com",
            "email_key": f"{name}@example.com",
            "password": "unusable",
            "email_verified": True,
            "is_admin": is_staff,
        } | columns
        now = datetime.now(UTC)
        with self.database.connect() as connection:
            user = insert_schema(users).model_validate(given)
            row = connection.execute(sa.insert(users).values(user.values()).returning(users)).one()
            session = insert_schema(sessions).model_validate(
                {
                    "user_id": row.id,
                    "token_hash": hashlib.sha256(token.encode()).digest(),
                    "created_at": now,
                    "expires_at": now + session_lifetime,
                }
            )
            session_id = connection.execute(
                sa.insert(sessions).values(session.values()).returning(sessions.c.id)
            ).scalar_one()
            if seeds:
                server_seeds.ensure(connection, row.id, now=now)
        return Member(row.id, row.username, row.email, session_id, token, is_staff)

    def staff(self, **columns: Any) -> Member:
        """Make one of the staff."""
        return self.new(is_staff=True, **columns)

    def shell(self, uid: str) -> Member:
        """Make a row as the legacy application makes one for a uid of the feed: no password, and no mail reaches it."""
        name = f"shell-{secrets.token_hex(6)}"
        return self.new(username=name, email=f"{name}@placeholder.com", uid=uid, verified=True, email_verified=False)

    def change(self, member: Member, **columns: Any) -> None:
        """Change columns of the member's row."""
        with self.database.connect() as connection:
            connection.execute(sa.update(users).where(users.c.id == member.id).values(columns))

    def end_session(self, member: Member) -> None:
        """End the member's session behind the authorizer's back."""
        with self.database.connect() as connection:
            connection.execute(
                sa.update(sessions).where(sessions.c.id == member.session_id).values(ended_at=datetime.now(UTC))
            )
