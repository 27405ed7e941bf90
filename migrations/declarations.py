"""How functions, triggers and the key columns that triggers fill are declared; `routines.py` declares them."""

from collections.abc import Iterator
from dataclasses import dataclass

EVERYBODY = "PUBLIC"
SAFE_PATH = "search_path=public, pg_temp"
"""For SECURITY DEFINER: neither the caller's search path nor a temporary table decides what the function reads."""


@dataclass(frozen=True)
class Function:
    """A function in the schema public.

    Parameters
    ----------
    arguments: as in CREATE FUNCTION, such as `kind text, value text`.
    options: volatility, STRICT, PARALLEL SAFE; SECURITY DEFINER has a field of its own.
    settings: `name=value`, in force while it runs.
    callers: the roles that may execute it, and no others; empty for a trigger's function, which a trigger executes
        whoever writes; None: whoever may by default.
    """

    name: str
    arguments: str
    returns: str
    language: str
    body: str
    options: str = ""
    is_definer: bool = False
    settings: tuple[str, ...] = ()
    callers: tuple[str, ...] | None = None

    @property
    def signature(self) -> str:
        """The name with the types of the arguments, as `regprocedure` reads it."""
        types = (argument.split()[-1] for argument in self.arguments.split(", ") if argument)
        return f"public.{self.name}({', '.join(types)})"

    @property
    def create(self) -> str:
        """The statement that creates it, or replaces another version."""
        settings = "".join(
            f" SET {name} = {value if name == 'search_path' else repr(value)}"
            for name, value in (each.split("=", 1) for each in self.settings)
        )
        definer = " SECURITY DEFINER" if self.is_definer else ""
        return (
            f"CREATE OR REPLACE FUNCTION public.{self.name}({self.arguments}) RETURNS {self.returns}"
            f" LANGUAGE {self.language} {self.options}{definer}{settings} AS $routine${self.body}$routine$"
        )


@dataclass(frozen=True)
class Trigger:
    """A trigger for each row.

    Parameters
    ----------
    event: as in CREATE TRIGGER, such as `BEFORE UPDATE OF email`.
    when: its condition as PostgreSQL writes it back, so that text compares with text; empty: none.
    function: the name of the function that it executes.
    """

    table: str
    name: str
    event: str
    when: str
    function: str

    @property
    def definition(self) -> str:
        """What pg_get_triggerdef returns, apart from the name of the schema."""
        when = f"WHEN ({self.when}) " if self.when else ""
        return (
            f"CREATE TRIGGER {self.name} {self.event} ON {self.table}"
            f" FOR EACH ROW {when}EXECUTE FUNCTION {self.function}()"
        )

    @property
    def create(self) -> str:
        """The statement that creates it, or replaces another version, and enables it."""
        return (
            self.definition.replace("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER", 1)
            + f"; ALTER TABLE {self.table} ENABLE TRIGGER {self.name}"
        )


@dataclass(frozen=True)
class Key:
    """A key column that triggers fill for rows of the legacy application: of rows with one value the oldest has it.

    Parameters
    ----------
    column: what the key is made of.
    made: the key's expression, `{}` being the column of a row.
    scope: the column within whose values the key is unique.
    update: which updates of a row without the key ask for it again.  On users only those of the column itself: with a
        new key the row is locked against rows that refer to it, and one update of all members would fill all keys.
    """

    table: str
    name: str
    column: str
    made: str
    scope: str = ""
    update: str = "UPDATE"

    @property
    def function(self) -> str:
        """The name of its triggers' function."""
        return f"fill_{self.table}_{self.name}"

    def parts(self, row: str) -> list[str]:
        """The key's value in a row of this name, and what it is unique within."""
        return [self.made.format(f"{row}.{self.column}"), *([f"{row}.{self.scope}"] if self.scope else [])]

    @property
    def is_missing(self) -> str:
        """Whether a row `r` has no key and could have one; num_nulls leaves the planner only the index on the id."""
        return " AND ".join([f"num_nulls(r.{self.name}) = 1", *(f"{part} IS NOT NULL" for part in self.parts("r"))])

    @property
    def is_free(self) -> str:
        """Whether no row has the key that a row `r` wants, and no older row waits for it."""
        (wanted, *scope), (others, *others_scope) = self.parts("r"), self.parts("o")
        among = "".join(f"{other} = {own} AND " for other, own in zip(others_scope, scope, strict=True))
        # num_nulls keeps the planner from the index on the key, in which all members without one stand together, and
        # `+ 0` from the one on the id: a statement that inserts n members would read n² rows where statistics are old.
        is_missing = f"num_nulls(o.{self.name}) = 1" if self.table == "users" else f"o.{self.name} IS NULL"
        return (
            f"NOT EXISTS (SELECT FROM {self.table} o WHERE {among}o.{self.name} = {wanted})"
            f" AND NOT EXISTS (SELECT FROM {self.table} o"
            f" WHERE {among}{is_missing} AND {others} = {wanted} AND o.id + 0 < r.id)"
        )

    def functions(self) -> Iterator[Function]:
        """Yield the function of the key's triggers.

        It must not fail for any insert or update of the legacy application.  The key is written by a second statement,
        whose violation of the unique constraint it ignores.  It waits 300 ms at most for another transaction's key:
        two transactions that wait for each other both go on before PostgreSQL ends one for a deadlock, after a second.
        """
        body = f"""
BEGIN
    IF TG_WHEN = 'BEFORE' THEN
        NEW.{self.name} := NULL;
        RETURN NEW;
    END IF;
    UPDATE {self.table} r SET {self.name} = {self.parts("r")[0]}
    WHERE r.id = NEW.id AND {self.is_missing}
        AND {self.is_free};
    RETURN NULL;
EXCEPTION WHEN unique_violation OR lock_not_available OR deadlock_detected THEN
    RETURN NULL;
END
"""
        settings = (SAFE_PATH, "lock_timeout=300ms", "enable_seqscan=off")
        yield Function(self.function, "", "trigger", "plpgsql", body, is_definer=True, settings=settings, callers=())

    def triggers(self) -> Iterator[Trigger]:
        """Yield the trigger that clears a key whose source changes, and the two that fill a missing one."""
        columns = f"{self.column}, {self.scope}" if self.scope else self.column
        changes = [
            f"({new} IS DISTINCT FROM {old})" for new, old in zip(self.parts("new"), self.parts("old"), strict=True)
        ]
        has_changed = f"({' OR '.join(changes)})" if self.scope else changes[0]
        is_untouched = f"(NOT (new.{self.name} IS DISTINCT FROM old.{self.name}))"
        is_null = f"(new.{self.name} IS NULL)"
        for name, event, when in (
            (f"clear_{self.name}", f"BEFORE UPDATE OF {columns}", f"({is_untouched} AND {has_changed})"),
            (f"fill_{self.name}_of_new", "AFTER INSERT", is_null),
            (f"fill_{self.name}_of_changed", f"AFTER {self.update}", is_null),
        ):
            yield Trigger(self.table, name, event, when, self.function)
