"""What stands between the functions' roles and their rows, and who else reaches the platform's own tables.

Hosts of PostgreSQL turn row level security on for each new table.  By default privileges they give roles of their own,
such as those of an HTTP API, rights on each new table and function.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, text

from migrations.declarations import EVERYBODY
from migrations.faults import Fault, FaultKind
from migrations.routines import FUNCTIONS

GUIDE_TABLES = frozenset(
    {
        "bonus_codes",
        "historical_races",
        "newsletter_subscriptions",
        "notification_preferences",
        "support_tickets",
        "ticket_messages",
        "users",
        "wager_race_participants",
        "wager_races",
        "wheel_spins",
    }
)
"""The tables that the legacy application, and whom its owner gave rights on them, use as well."""

# Queries of the catalogue are text: there are no models of its tables.
_WITHOUT_POLICY = text("""
    SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('public') AND relname = ANY(:tables)
        AND relrowsecurity AND NOT EXISTS (
            SELECT FROM pg_policy WHERE polrelid = pg_class.oid AND polpermissive AND polcmd = '*'
                AND polroles && ARRAY[0, to_regrole(:role)::oid]
                AND pg_get_expr(polqual, polrelid) = 'true'
                AND coalesce(pg_get_expr(polwithcheck, polrelid), 'true') = 'true'
        ) ORDER BY 1
""")
_OTHERS_RIGHTS = text("""
    SELECT grantee, array_agg(DISTINCT relname::text ORDER BY relname::text) AS tables
    FROM (
        SELECT coalesce(quote_ident(rolname), 'PUBLIC') AS grantee, relname
        FROM pg_class, aclexplode(relacl) AS granted LEFT JOIN pg_roles ON pg_roles.oid = granted.grantee
        WHERE relnamespace = to_regnamespace('public') AND relkind IN ('r', 'p') AND relname = ANY(:tables)
            AND granted.grantee <> relowner AND coalesce(rolname <> ALL(:roles) AND NOT rolsuper, true)
    ) AS found GROUP BY grantee ORDER BY grantee
""")
_OTHERS_EXECUTE = text("""
    SELECT quote_ident(rolname) FROM pg_proc, aclexplode(proacl) AS granted
        JOIN pg_roles ON pg_roles.oid = granted.grantee
    WHERE pg_proc.oid = to_regprocedure(:signature) AND granted.grantee <> proowner
        AND rolname <> ALL(:roles) AND NOT rolsuper ORDER BY 1
""")


def missing_policies(connection: Connection, roles: Sequence[str], tables: Sequence[str]) -> Iterator[Fault]:
    """Yield the tables whose row level security hides rows from these roles: a policy of their own shows all of them.

    Row level security stays on, because it may be all that keeps other roles from the rows.
    """
    for role in roles:
        for table in connection.scalars(_WITHOUT_POLICY, {"role": role, "tables": list(tables)}).all():
            policy = f"POLICY goatedvips_{role} ON public.{table}"
            repair = f"DROP {policy.replace('POLICY', 'POLICY IF EXISTS')}; CREATE {policy} TO {role} USING (true)"
            what = f"row level security of {table} hides rows from role {role}"
            yield Fault(FaultKind.LACKS_POLICY, what, repair, is_of_role=False)


def rights_of_others(connection: Connection, roles: Sequence[str], tables: Sequence[str]) -> Iterator[Fault]:
    """Yield the rights that neither these roles nor an owner have, on the platform's own tables and on its functions.

    The tables hold the hashes of sessions, and keys; some functions run with the rights of their owner.
    """
    own = {"roles": list(roles), "tables": [table for table in tables if table not in GUIDE_TABLES]}
    for grantee, found in connection.execute(_OTHERS_RIGHTS, own).all():
        who = "everybody" if grantee == EVERYBODY else f"role {grantee}"
        what = f"{who} has and must not have rights on {', '.join(found)}"
        listed = ", ".join(f"public.{table}" for table in found)
        repair = f"REVOKE ALL ON {listed} FROM {grantee} CASCADE"
        yield Fault(FaultKind.OTHERS_HAVE_RIGHTS, what, repair, is_of_role=False)
    for function in FUNCTIONS:
        if function.callers is None or EVERYBODY in function.callers:
            continue
        given = {"signature": function.signature, "roles": list(roles)}
        for grantee in connection.scalars(_OTHERS_EXECUTE, given).all():
            repair = f"REVOKE EXECUTE ON FUNCTION {function.signature} FROM {grantee} CASCADE"
            what = f"role {grantee} has and must not have EXECUTE on {function.name}"
            yield Fault(FaultKind.OTHERS_HAVE_EXECUTE, what, repair, is_of_role=False)
