"""Members for tests: written straight into the tables, with a live session each."""

import hashlib
import secrets
from collections.abc import Sequence
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
        (member,) = self.new_all([columns], is_staff=is_staff, session_lifetime=session_lifetime)
        if seeds:
            with self.database.connect() as connection:
                server_seeds.ensure(connection, member.id, now=datetime.now(UTC))
        return member

    def new_all(
        self,
        rows: Sequence[dict[str, Any]],
        *,
        is_staff: bool = False,
        session_lifetime: timedelta = timedelta(days=30),
    ) -> list[Member]:
        """Make many members by two statements, without seeds.

        Parameters
        ----------
        rows: columns of each one's row, the same ones for all.
        """
        names = [f"member-{secrets.token_hex(6)}" for _ in rows]
        tokens = [f"gvp_{secrets.token_urlsafe(32)}" for _ in rows]
        given = [
            {
                "username": name,
                "username_key": name,
                "email": f"{name}@example.com",
                "email_key": f"{name}@example.com",
                "password": "unusable",
                "email_verified": True,
                "is_admin": is_staff,
            }
            | columns
            for name, columns in zip(names, rows, strict=True)
        ]
        now = datetime.now(UTC)
        with self.database.connect() as connection:
            made = self._insert(connection, users, given)
            lifetimes = {"created_at": now, "expires_at": now + session_lifetime}
            began = self._insert(
                connection,
                sessions,
                [
                    {"user_id": row.id, "token_hash": hashlib.sha256(token.encode()).digest()} | lifetimes
                    for row, token in zip(made, tokens, strict=True)
                ],
            )
        return [
            Member(row.id, row.username, row.email, session.id, token, is_staff)
            for row, session, token in zip(made, began, tokens, strict=True)
        ]

    def _insert(
        self, connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]
    ) -> Sequence[sa.Row[Any]]:
        """Insert rows, and return them in their order."""
        schema = insert_schema(table)
        validated = [schema.model_validate(row).values() for row in rows]
        return connection.execute(sa.insert(table).returning(*table.c, sort_by_parameter_order=True), validated).all()

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
