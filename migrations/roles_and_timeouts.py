"""The database roles that the functions log in as, with what they may do and how long they may wait."""

from sqlalchemy import Connection, text

# Set on the role, because through RDS Proxy a session must not SET and start-up options are refused.
ROLES = {
    "api": {"lock_timeout": "5s", "statement_timeout": "8s"},
    "jobs": {"lock_timeout": "30s"},
}


KEPT_FROM_FUNCTIONS = {
    "alembic_version": "INSERT, UPDATE, DELETE",  # the health check reads it; only a migration writes it
    "audit_log": "UPDATE, DELETE",
    "identity_key": "SELECT, INSERT, UPDATE, DELETE",  # identity_hash reads it, with its owner's rights
    "sender_state": "INSERT, DELETE",  # its one row is made by a migration
    "tier_versions": "UPDATE, DELETE",
    "wheel_versions": "UPDATE, DELETE",  # a spin keeps the wheel that it was drawn on
}


# Theirs run with the owner's rights, so nobody else may call them.
CALLED_BY = {
    "identity_hash(text, text)": "api, jobs",
    "redact_audit_log(integer)": "api",
}


def ensure_roles(connection: Connection) -> None:
    """Create the roles or bring them up to date, with rights on every table that there is and that this role will make.

    It may run again at any time; the caller commits. Roles belong to the server, not to one database, so only what
    differs is changed: two databases of one server then don't trip over each other.
    """
    ensure_logins(connection)
    roles = ", ".join(ROLES)
    for statement in (
        f"GRANT USAGE ON SCHEMA public TO {roles}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {roles}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {roles}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {roles}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {roles}",
    ):
        connection.execute(text(statement))
    for table, kept_from in KEPT_FROM_FUNCTIONS.items():
        if connection.scalar(text("SELECT to_regclass(:name)"), {"name": f"public.{table}"}):
            connection.execute(text(f"REVOKE {kept_from} ON public.{table} FROM {roles}"))
    for function, callers in CALLED_BY.items():
        if connection.scalar(text("SELECT to_regprocedure(:name)"), {"name": f"public.{function}"}):
            connection.execute(text(f"REVOKE EXECUTE ON FUNCTION public.{function} FROM PUBLIC"))
            connection.execute(text(f"GRANT EXECUTE ON FUNCTION public.{function} TO {callers}"))


def ensure_logins(connection: Connection) -> None:
    """Create the roles or bring their time-outs up to date; on Amazon RDS they log in with IAM tokens."""
    for role, settings in ROLES.items():
        found = connection.execute(
            text("SELECT rolcanlogin, rolconfig FROM pg_roles WHERE rolname = :role"), {"role": role}
        ).one_or_none()
        if found is None:
            connection.execute(text(f"CREATE ROLE {role} LOGIN"))
        elif not found.rolcanlogin:
            connection.execute(text(f"ALTER ROLE {role} LOGIN"))
        present = (found and found.rolconfig) or []
        for name, value in settings.items():
            if f"{name}={value}" not in present:
                connection.execute(text(f"ALTER ROLE {role} SET {name} = '{value}'"))
    if connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = 'rds_iam'")):
        connection.execute(text(f"GRANT rds_iam TO {', '.join(ROLES)}"))
