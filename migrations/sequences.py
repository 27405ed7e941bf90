"""Move the sequences of id columns forward if a table has ids that its sequence has not given yet.

The legacy application, or a restore, can insert rows with ids of its own choice.  The sequence would later give such an
id again, and the insert would violate the primary key.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text

from migrations import online

# Ids this close to the end of the sequence are ignored: a sequence that continued after them would soon end.
RESERVE = 1_000_000

# The default of a serial column refers to the sequence. The sequence of an identity column depends on the column.
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
    """A sequence whose next number is not above all ids in the table.

    Parameters
    ----------
    sequence: the name of the sequence, quoted if necessary.
    next_id: the number that the sequence gives next.
    highest: the highest id in the table.
    """

    table: str
    sequence: str
    next_id: int
    highest: int

    @property
    def repair(self) -> str:
        """The statements that move the sequence forward, under a SHARE lock, which blocks inserts."""
        return (
            f"LOCK TABLE public.{self.table} IN SHARE MODE; SELECT setval('{self.sequence}', (SELECT max(id)"
            f" FROM public.{self.table} WHERE id < (SELECT seqmax - {RESERVE} FROM pg_sequence"
            f" WHERE seqrelid = '{self.sequence}'::regclass)))"
        )


def lagging(connection: Connection, tables: list[str]) -> Iterator[Lag]:
    """Yield the sequences of these tables that must be moved forward."""
    for table, _, sequence in connection.execute(_SEQUENCES, {"tables": tables}).all():
        state = _STATE.format(table=table, sequence=sequence, reserve=RESERVE)
        next_id, highest = connection.execute(text(state)).one()
        if highest is not None and next_id <= highest:
            yield Lag(table, sequence, next_id, highest)


def move_forward(connection: Connection, tables: list[str]) -> None:
    """Move sequences forward, each in a short transaction of its own.

    Raises
    ------
    CommandError: another transaction has locked a table for minutes.
    """
    pending = list(lagging(connection, tables))
    connection.commit()
    with online.outside_steps(connection):
        for lag in pending:
            online.change(lag.repair)
