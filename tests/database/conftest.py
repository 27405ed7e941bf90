"""Databases to check: one that is in order and one with the guide's tables, each a copy of a template."""

import hashlib
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text

from database.embedded import Server
from goatedvips.domain.accounts import passwords
from migrations.roles_and_timeouts import ensure_roles
from migrations.upgrade import engine, upgrade
from tests.support.databases import GUIDE_SQL, bare_server, database, guide_url, numbers, run_sql, url

__all__ = ["bare_server", "database", "guide_url", "url"]


@pytest.fixture(scope="package", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Hash passwords at the least cost: what it costs to guess them is the business of other tests."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_argon2", lambda: hasher)
        patch.setattr(passwords, "_DUMMY_ARGON2", hasher.hash("dummy"))
        patch.setattr(
            passwords,
            "_scrypt",
            lambda password, salt: hashlib.scrypt(password.encode(), salt=salt.encode(), n=2, r=8, p=1, dklen=64),
        )
        yield


@pytest.fixture(scope="session")
def templates(bare_server: Server) -> dict[str, str]:
    """An adopted database with its roles, and the guide's, each to copy from; without rows."""
    for name in ("template_guide", "template_adopted"):
        with engine(bare_server.url("postgres")).connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(f"CREATE DATABASE {name}"))
        run_sql(bare_server.url(name), GUIDE_SQL)
    upgrade(bare_server.url("template_adopted"))
    with engine(bare_server.url("template_adopted")).begin() as connection:
        ensure_roles(connection)
    return {"guide": "template_guide", "adopted": "template_adopted"}


def copied(bare_server: Server, template: str) -> str:
    name = f"checked_{next(numbers)}"
    with engine(bare_server.url("postgres")).connect() as connection:
        autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
        autocommit.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        autocommit.execute(text(f"ALTER DATABASE {name} SET timezone TO 'UTC'"))
    return bare_server.url(name)


@pytest.fixture
def adopted(bare_server: Server, templates: dict[str, str]) -> str:
    """A database in order: nothing to do."""
    return copied(bare_server, templates["adopted"])


@pytest.fixture
def bare(bare_server: Server, templates: dict[str, str]) -> str:
    """A database of the legacy application, without rows."""
    return copied(bare_server, templates["guide"])
