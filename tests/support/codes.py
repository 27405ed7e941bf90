"""Bonus codes and claims for tests, written straight into the tables."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from goatedvips.models.codes import bonus_codes, code_batches, code_claims
from tests.support.rows import insert_row

ISSUED_AT = datetime(2026, 4, 30, 12, tzinfo=UTC)
EXPIRES_AT = ISSUED_AT + timedelta(days=3650)


@dataclass(frozen=True)
class Code:
    """A code that was inserted."""

    id: int
    code: str


@dataclass(frozen=True)
class Codes:
    """Makes codes and claims."""

    database: sa.Engine

    def new(self, **columns: Any) -> Code:
        """Insert a code that any number of members can claim until EXPIRES_AT, with the given columns changed."""
        given: dict[str, Any] = {
            "code": f"CODE-{secrets.token_hex(8)}",
            "claimed_at": ISSUED_AT,
            "expires_at": EXPIRES_AT,
            "value": Decimal(5),
            "max_claims": None,
        }
        row = given | columns
        with self.database.connect() as connection:
            key = connection.execute(sa.select(sa.func.code_key(row["code"]))).scalar_one()
        return Code(insert_row(self.database, bonus_codes, **{"code_key": key} | row), row["code"])

    def batch(self, size: int = 3, **columns: Any) -> int:
        """Insert a batch of codes, with the given columns of them changed, and return its id."""
        batch_id = insert_row(self.database, code_batches, size=size, created_at=ISSUED_AT)
        for _ in range(size):
            self.new(**{"batch_id": batch_id, "max_claims": 1} | columns)
        return batch_id

    def claimed(self, user_id: int, at: datetime) -> int:
        """Insert a code that the member has claimed, and return the id of the claim."""
        code = self.new(claims=1, is_used=True)
        return insert_row(self.database, code_claims, code_id=code.id, user_id=user_id, claimed_at=at)
