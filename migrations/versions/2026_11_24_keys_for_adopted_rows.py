"""Unique keys that old rows may break, each on a nullable column of its own, and the indexes that our queries need.

The guide's application knows nothing of the keys, so triggers fill them for its rows, and never make one of its inserts
or updates fail: they fill a key only where that is free.  They hold a lock on the key first, because of two rows
inserted at once neither sees the other; without it the second fails on the unique constraint.  They fire for our rows
too, so that ours and theirs wait for each other; but for no update that leaves the key and what it is made of alone,
since a statement that updates every member would run out of locks.

Of old rows that collide the oldest gets the key; the others stay without.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import op
from sqlalchemy import inspect, text

revision = "keys_for_adopted_rows"
down_revision = "platform_tables"

# table, key column, what fills it (of a row named `r`), the columns that scope it
KEYS = (
    ("users", "username_key", "lower({r}.username)", ()),
    ("users", "email_key", "lower({r}.email)", ()),
    ("wheel_spins", "spin_day", "({r}.timestamp)::date", ("user_id",)),
    ("wager_race_participants", "member_key", "{r}.user_id", ("race_id",)),
    ("bonus_codes", "code_key", "code_key({r}.code)", ()),
    ("newsletter_subscriptions", "email_key", "lower({r}.email)", ()),
)
INDEXES = (
    ("support_tickets", ("user_id", "id")),
    ("ticket_messages", ("ticket_id", "id")),
    ("wager_race_participants", ("race_id", "rank", "id")),
    ("wager_races", ("start_date", "id")),
)

# What a code is matched by.  A function, because the trigger and our statements must agree to the letter.
CODE_KEY = r"""
CREATE OR REPLACE FUNCTION code_key(code text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT upper(regexp_replace(code, '[\s\u00a0\u2010-\u2015\u2212-]', '', 'g'))
$$
"""

TRIGGER = """
CREATE OR REPLACE FUNCTION fill_{table}_{key}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wanted {table}.{key}%TYPE := {wanted};
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.{key} IS NOT DISTINCT FROM OLD.{key} AND {made_of_new} IS DISTINCT FROM {made_of_old} THEN
            NEW.{key} := NULL;
        END IF;
    END IF;
    IF wanted IS NOT NULL {scope_given} THEN
        PERFORM pg_advisory_xact_lock(hashtextextended(concat_ws(':', '{table}.{key}', wanted{scope_values}), 0));
        IF NEW.{key} IS NULL AND NOT EXISTS (
            SELECT FROM {table} WHERE {key} = wanted {scope_equal} AND id <> NEW.id
        ) THEN
            NEW.{key} := wanted;
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER fill_{key}_of_new BEFORE INSERT ON {table}
    FOR EACH ROW EXECUTE FUNCTION fill_{table}_{key}();
CREATE OR REPLACE TRIGGER fill_{key}_of_changed BEFORE UPDATE ON {table}
    FOR EACH ROW
    WHEN (NEW.{key} IS NULL OR NEW.{key} IS DISTINCT FROM OLD.{key} OR {made_of_new} IS DISTINCT FROM {made_of_old})
    EXECUTE FUNCTION fill_{table}_{key}();
"""

BACK_FILL = """
UPDATE {table} SET {key} = {wanted} FROM (
    SELECT DISTINCT ON ({partition}) id FROM {table} r WHERE {wanted_of_r} IS NOT NULL {scope_of_r_given}
    ORDER BY {partition}, id
) oldest
WHERE {table}.id = oldest.id AND {key} IS NULL
"""


def upgrade() -> None:
    """Add triggers and keys, then the indexes; a step that was cut off may run again."""
    op.execute(CODE_KEY)
    for table, key, expression, scope in KEYS:
        add_key(table, key, expression, scope)
    for table, key, _, scope in KEYS:
        add_unique(table, (*scope, key))
    add_unique("bonus_codes", ("spin_id",))
    add_unique("wager_races", ("follows_id",))
    for table, columns in INDEXES:
        with fresh_index(f"{table}_{'_'.join(columns)}_idx") as name:
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {table} ({', '.join(columns)})")


def add_key(table: str, key: str, expression: str, scope: tuple[str, ...]) -> None:
    """Add the triggers and fill old rows in one transaction: its lock keeps others from writing in between."""

    def made_of(row: str) -> str:
        return f"ROW({', '.join([expression.format(r=row), *(f'{row}.{column}' for column in scope)])})"

    op.execute(
        TRIGGER.format(
            table=table,
            key=key,
            wanted=expression.format(r="NEW"),
            made_of_new=made_of("NEW"),
            made_of_old=made_of("OLD"),
            scope_given="".join(f"AND NEW.{column} IS NOT NULL" for column in scope),
            scope_values="".join(f", NEW.{column}" for column in scope),
            scope_equal="".join(f"AND {column} = NEW.{column}" for column in scope),
        )
    )
    partition = ", ".join([*(f"r.{column}" for column in scope), expression.format(r="r")])
    op.execute(f"ALTER TABLE {table} DISABLE TRIGGER fill_{key}_of_changed")
    op.execute(
        BACK_FILL.format(
            table=table,
            key=key,
            wanted=expression.format(r=table),
            wanted_of_r=expression.format(r="r"),
            scope_of_r_given="".join(f"AND r.{column} IS NOT NULL" for column in scope),
            partition=partition,
        )
    )
    op.execute(f"ALTER TABLE {table} ENABLE TRIGGER fill_{key}_of_changed")


def add_unique(table: str, columns: tuple[str, ...]) -> None:
    """Build the index beside everyone else's work, then make it the constraint."""
    name = f"{table}_{'_'.join(columns)}_unique"
    constraints = inspect(op.get_bind()).get_unique_constraints(table)
    if any(constraint["name"] == name for constraint in constraints):
        return
    with fresh_index(name):
        op.execute(f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} ({', '.join(columns)})")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}")


@contextmanager
def fresh_index(name: str) -> Iterator[str]:
    """Make way for an index: one that was cut off while it was built stays behind, invalid."""
    with op.get_context().autocommit_block():
        op.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {name}"))
        yield name
