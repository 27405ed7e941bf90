"""What prevents PostgreSQL from altering the type of a column, with the SQL that removes it and brings it back."""

from sqlalchemy import Connection, text

# Queries of the catalogue are text: there are no models of its tables.
_TRIGGERS = text("""
    SELECT format('DROP TRIGGER %I ON %I', tgname, relname) AS drop_it,
        pg_get_triggerdef(pg_trigger.oid) || CASE tgenabled
            WHEN 'D' THEN format('; ALTER TABLE %I DISABLE TRIGGER %I', relname, tgname)
            WHEN 'A' THEN format('; ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', relname, tgname)
            WHEN 'R' THEN format('; ALTER TABLE %I ENABLE REPLICA TRIGGER %I', relname, tgname)
            ELSE '' END AS make_it
    FROM pg_depend JOIN pg_trigger ON pg_trigger.oid = objid JOIN pg_class ON pg_class.oid = tgrelid
    WHERE classid = 'pg_trigger'::regclass AND refclassid = 'pg_class'::regclass AND NOT tgisinternal
        AND refobjid = CAST(:table AS regclass)
        AND refobjsubid = (SELECT attnum FROM pg_attribute WHERE attrelid = refobjid AND attname = :column)
    GROUP BY pg_trigger.oid, tgname, relname, tgenabled ORDER BY tgname
""")
# Views of the column, and views of these views, the deepest last.
_VIEWS = text("""
    WITH RECURSIVE uses (view, depth) AS (
        SELECT ev_class, 1 FROM pg_depend JOIN pg_rewrite ON pg_rewrite.oid = objid
        WHERE classid = 'pg_rewrite'::regclass AND refclassid = 'pg_class'::regclass
            AND refobjid = CAST(:table AS regclass) AND ev_class <> refobjid
            AND refobjsubid = (SELECT attnum FROM pg_attribute WHERE attrelid = refobjid AND attname = :column)
        UNION
        SELECT ev_class, depth + 1 FROM uses JOIN pg_depend ON refobjid = view AND classid = 'pg_rewrite'::regclass
        JOIN pg_rewrite ON pg_rewrite.oid = objid
        WHERE refclassid = 'pg_class'::regclass AND ev_class <> view
    )
    SELECT format('DROP %s %s', kind, name) AS drop_it, concat_ws('; ',
        format('CREATE %s %s%s AS %s', kind, name, ' WITH (' || array_to_string(reloptions, ', ') || ')',
            regexp_replace(pg_get_viewdef(oid), '\\s*;\\s*$', '')),
        format('ALTER %s %s OWNER TO %I', kind, name, pg_get_userbyid(relowner)),
        (SELECT string_agg(pg_get_indexdef(indexrelid), '; ') FROM pg_index WHERE indrelid = found.oid),
        (SELECT string_agg(format('GRANT %s ON %s TO %s', privilege_type, name,
                CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END), '; ')
            FROM aclexplode(relacl) WHERE grantee <> relowner)
    ) AS make_it
    FROM (SELECT view, max(depth) AS depth FROM uses GROUP BY view) AS deepest
    JOIN LATERAL (
        SELECT oid, relowner, relacl, reloptions, oid::regclass::text AS name,
            CASE relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END AS kind
        FROM pg_class WHERE pg_class.oid = view
    ) AS found ON true
    ORDER BY depth, name
""")
_OTHERS = text("""
    SELECT pg_describe_object(classid, objid, objsubid) FROM pg_depend
    WHERE refclassid = 'pg_class'::regclass AND refobjid = CAST(:table AS regclass)
        AND refobjsubid = (SELECT attnum FROM pg_attribute WHERE attrelid = refobjid AND attname = :column)
        AND (classid = 'pg_policy'::regclass OR classid = 'pg_publication_rel'::regclass
            OR classid = 'pg_attrdef'::regclass AND EXISTS (
                SELECT FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
                WHERE pg_attrdef.oid = objid AND attgenerated <> ''
                    AND (attrelid, attname) <> (refobjid, CAST(:column AS name))))
    ORDER BY 1
""")


def around(connection: Connection, table: str, column: str, alter: str) -> tuple[str, bool]:
    """Return the SQL that alters the type of a column with what depends on it, and whether it is SQL as a whole.

    Triggers of the column, and views, are dropped before and made again afterwards. What else depends on the column,
    such as a generated column, is only named: what depends on it in turn would be lost.

    Parameters
    ----------
    alter: the statements that alter it.
    """
    of = {"table": f"public.{table}", "column": column}
    others = list(connection.scalars(_OTHERS, of))
    if others:
        return f"first drop {', '.join(others)}, and make it again afterwards; then {alter}", False
    dependents = [*connection.execute(_TRIGGERS, of), *connection.execute(_VIEWS, of)]
    drops = [found.drop_it for found in reversed(dependents)]
    makes = [" ".join(found.make_it.split()) for found in dependents]
    return "; ".join([*drops, alter, *makes]), True
