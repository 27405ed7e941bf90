"""The sequences behind the ids: moved forward where rows have ids that a sequence has not given yet.

The legacy application, or a restore, inserts ids of its own choice.  The next row that takes its id from the sequence
would then meet a row that is there.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text

from migrations import online

# Ids so close to the end of the sequence are not followed: no id would be left behind them.
RESERVE = 1_000_000

# Of a serial column the default refers to the sequence, of an identity column the sequence depends on the column.
_SEQUENCES = text("""
    SELECT DISTINCT pg_class.relname, attname, sequences.oid::regclass::text AS sequence
    FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'id' AND NOT attisdropped
    LEFT JOIN pg_attrdef ON adrelid = pg_class.oid AND adnum = attnum
    JOIN pg_depend ON
        (classid = 'pg_attrdef'::regclass AND objid = pg_attrdef.oid AND refclassid = 'pg_class'::regclass)
        OR (classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass AND refobjid = pg_class.oid
            AND refobjsubid = attnum AND deptype = 'i')
    JOIN pg_class sequences ON sequences.relkind = 'S'
        AND sequences.oid = CASE classid WHEN 'pg_class'::regclass THEN objid ELSE refobjid END
    WHERE pg_class.relnamespace = to_regnamespace('public') AND pg_class.relname = ANY(:tables)
        AND has_table_privilege(pg_class.oid, 'SELECT')
        AND CASE sequences.relkind WHEN 'S' THEN has_sequence_privilege(sequences.oid, 'SELECT') ELSE false END
    ORDER BY 1
""")
_STATE = """
    SELECT next_id, (SELECT max(id) FROM public.{table} WHERE id < seqmax - {reserve})
    FROM pg_sequence,
        (SELECT CASE WHEN is_called THEN last_value + 1 ELSE last_value END FROM {sequence}) AS state (next_id)
    WHERE seqrelid = CAST('{sequence}' AS regclass)
"""


@dataclass(frozen=True)
class Lag:
    """A sequence whose next number is not behind the ids that are there.

    Parameters
    ----------
    sequence: quoted where it must be.
    next_id: the number that it gives next.
    highest: the highest id in the table.
    """

    table: str
    sequence: str
    next_id: int
    highest: int

    @property
    def repair(self) -> str:
        """The statements that move it forward: under a lock that lets no insert be under way."""
        return (
            f"LOCK TABLE public.{self.table} IN SHARE MODE; SELECT setval('{self.sequence}', (SELECT max(id)"
            f" FROM public.{self.table} WHERE id < (SELECT seqmax - {RESERVE} FROM pg_sequence"
            f" WHERE seqrelid = '{self.sequence}'::regclass)))"
        )


def lagging(connection: Connection, tables: list[str]) -> Iterator[Lag]:
    """Yield the sequences of these tables that are to be moved forward."""
    for table, _, sequence in connection.execute(_SEQUENCES, {"tables": tables}).all():
        state = _STATE.format(table=table, sequence=sequence, reserve=RESERVE)
        next_id, highest = connection.execute(text(state)).one()
        if highest is not None and next_id <= highest:
            yield Lag(table, sequence, next_id, highest)


def move_forward(connection: Connection, tables: list[str]) -> None:
    """Move sequences forward, each in a short transaction of its own.

    Raises
    ------
    CommandError: for minutes another transaction has locked a table.
    """
    pending = list(lagging(connection, tables))
    connection.commit()
    with online.outside_steps(connection):
        for lag in pending:
            online.change(lag.repair)
