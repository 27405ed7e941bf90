"""The keys are filled: by triggers in rows that the legacy application writes, and in old rows by this step.

A key goes to the oldest row of those that read the same; the others stay without, and wait for it in their order.  The
application knows nothing of that, so none of its inserts or updates may fail by it.  A row is written without the key
first and then given it, where it is free; who loses a race for it, be it to a row of ours, stays without.  Behind a
transaction that holds the key and has not ended a row waits 300 ms, a member's for each of its two: of two that wait
for each other both go on, before PostgreSQL calls that a deadlock, after a second, and ends one.  Our own rows bring
their keys along, and nothing here concerns them.

Any update of a row without a key asks for it again.  But a member's row asks only when the name itself is written: with
a new key it would be locked against the rows that refer to it, and one update of all members would fill all keys.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from dataclasses import dataclass

from migrations import online

revision = "oldest_rows_hold_the_keys"
down_revision = "keys_for_adopted_rows"

# They find who reads the same and has no key.  On users they hold every row, because staff look members up by how a
# name begins; on the other tables few rows are without.
INDEXES = (
    ("users_lower_username_idx", "users (lower(username) text_pattern_ops)"),
    ("users_lower_email_idx", "users (lower(email) text_pattern_ops)"),
    ("wheel_spins_without_day_idx", 'wheel_spins (user_id, (("timestamp")::date)) WHERE spin_day IS NULL'),
    ("wager_race_participants_without_key_idx", "wager_race_participants (race_id, user_id) WHERE member_key IS NULL"),
    ("bonus_codes_without_key_idx", "bonus_codes (code_key(code)) WHERE code_key IS NULL"),
    ("newsletter_subscriptions_without_key_idx", "newsletter_subscriptions (lower(email)) WHERE email_key IS NULL"),
)

TRIGGERS = """
CREATE OR REPLACE FUNCTION fill_{table}_{key}() RETURNS trigger LANGUAGE plpgsql
SET lock_timeout = '300ms' SET enable_seqscan = off AS $$
BEGIN
    IF TG_WHEN = 'BEFORE' THEN
        NEW.{key} := NULL;
        RETURN NEW;
    END IF;
    UPDATE {table} r SET {key} = {wanted}
    WHERE r.id = NEW.id AND {lacks}
        AND {is_next};
    RETURN NULL;
EXCEPTION WHEN unique_violation OR lock_not_available OR deadlock_detected THEN
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER clear_{key} BEFORE UPDATE OF {made_of} ON {table}
    FOR EACH ROW WHEN (NEW.{key} IS NOT DISTINCT FROM OLD.{key} AND {new} IS DISTINCT FROM {old})
    EXECUTE FUNCTION fill_{table}_{key}();
CREATE OR REPLACE TRIGGER fill_{key}_of_new AFTER INSERT ON {table}
    FOR EACH ROW WHEN (NEW.{key} IS NULL) EXECUTE FUNCTION fill_{table}_{key}();
CREATE OR REPLACE TRIGGER fill_{key}_of_changed AFTER {update} ON {table}
    FOR EACH ROW WHEN (NEW.{key} IS NULL) EXECUTE FUNCTION fill_{table}_{key}()
"""


@dataclass(frozen=True)
class Key:
    """A key column: which column it is made of and how, and the column, if any, within which it is unique.

    Parameters
    ----------
    update: what makes a row without the key ask for it again.
    """

    table: str
    name: str
    column: str
    made: str
    scope: str | None = None
    update: str = "UPDATE"

    def parts(self, row: str) -> list[str]:
        """What the key is to be in a row of this name, and what it is unique within."""
        return [self.made.format(f"{row}.{self.column}"), *([f"{row}.{self.scope}"] if self.scope else [])]

    @property
    def lacks(self) -> str:
        """Whether a row `r` is without a key that it could have."""
        return " AND ".join([f"r.{self.name} IS NULL", *(f"{part} IS NOT NULL" for part in self.parts("r"))])

    @property
    def is_next(self) -> str:
        """Whether nobody has the key that a row `r` wants, and no older row without it wants it too."""
        (wanted, *scope), (others, *others_scope) = self.parts("r"), self.parts("o")
        among = "".join(f"{other} = {own} AND " for other, own in zip(others_scope, scope, strict=True))
        # On users the index on the key must not serve: it would go through all who are without.
        lacks = f"num_nulls(o.{self.name}) = 1" if self.table == "users" else f"o.{self.name} IS NULL"
        return f"""NOT EXISTS (SELECT FROM {self.table} o WHERE {among}o.{self.name} = {wanted})
        AND NOT EXISTS (
            SELECT FROM {self.table} o WHERE {among}{lacks} AND {others} = {wanted} AND o.id < r.id
        )"""

    @property
    def triggers(self) -> str:
        """What makes rows of the legacy application ask for the key."""
        return TRIGGERS.format(
            table=self.table,
            key=self.name,
            made_of=f"{self.column}, {self.scope}" if self.scope else self.column,
            new=f"ROW({', '.join(self.parts('NEW'))})",
            old=f"ROW({', '.join(self.parts('OLD'))})",
            wanted=self.parts("r")[0],
            lacks=self.lacks,
            is_next=self.is_next,
            update=self.update,
        )

    @property
    def filled(self) -> str:
        """What gives the key to those rows of a batch that come next."""
        wanted, *_ = self.parts("r")
        return f"""
            UPDATE {self.table} r SET {self.name} = {wanted} FROM batch
            WHERE r.id = batch.id AND {self.lacks} AND {self.is_next}
            RETURNING r.id
        """


KEYS = (
    Key("users", "username_key", "username", "lower({})", update="UPDATE OF username, username_key"),
    Key("users", "email_key", "email", "lower({})", update="UPDATE OF email, email_key"),
    Key("wheel_spins", "spin_day", '"timestamp"', "({})::date", "user_id"),
    Key("wager_race_participants", "member_key", "user_id", "{}", "race_id"),
    Key("bonus_codes", "code_key", "code", "code_key({})"),
    Key("newsletter_subscriptions", "email_key", "email", "lower({})"),
)


def upgrade() -> None:
    """Add the triggers, then fill the rows that were there before them."""
    for name, definition in INDEXES:
        online.add_index(name, definition)
    for table in sorted({key.table for key in KEYS}):
        # Else a key is looked for among all rows that lack theirs.
        online.change(f"ANALYZE {table}", locks=[table])
    for key in KEYS:
        online.change(key.triggers, locks=[key.table])
        online.fill(key.table, key.lacks, key.filled, only=key.is_next)
