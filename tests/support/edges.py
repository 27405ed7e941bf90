"""The two edges to the database, `db` and `light_db`, led to another database than the settings say."""

import pytest
import sqlalchemy as sa

from goatedvips import db, light_db
from goatedvips.light_connection import make_database


def use(monkeypatch: pytest.MonkeyPatch, url: str) -> sa.Engine:
    """Make both edges connect to this URL, and return the engine of `db`."""
    engine, database = db.make_engine(url), make_database(url)
    monkeypatch.setattr(db, "engine", lambda: engine)
    monkeypatch.setattr(light_db, "database", lambda: database)
    return engine
