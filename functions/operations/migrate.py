"""Migrates the stack's database, for the custom resource Migration: a deployment does so before it updates functions.

It connects to the writer as the owner of the database, not through the proxy. Its own layer has the migrations.
"""

from goatedvips import custom_resource
from goatedvips.config import settings
from migrations import upgrade as migrations
from migrations.roles_and_timeouts import ensure_roles


def migrate() -> dict[str, int]:
    with migrations.engine(settings.database_url).connect() as connection:
        if migrations.is_ahead(connection):  # an earlier release is deployed again, and works on the newer schema
            return {"ahead": 1}
        migrations.upgrade_connected(connection)
        ensure_roles(connection)
        connection.commit()
    return {"migrated": 1}


handler = custom_resource.lambda_handler(migrate, version="Migrations")
