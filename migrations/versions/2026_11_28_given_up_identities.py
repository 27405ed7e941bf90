"""An identity that an excluded member gave up refers to the member, so that it gets the exclusion's later end too.

A trigger extends it.  The check of `identity_key` gets a form that drizzle-kit reads.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations import online, routines

revision = "given_up_identities"
down_revision = "pending_subscriptions"

# drizzle-kit cuts the parentheses from the text `CHECK (id)`, and writes the rest wrongly.
ONE_ROW = """
ALTER TABLE identity_key DROP CONSTRAINT IF EXISTS identity_key_one_row,
    ADD CONSTRAINT identity_key_one_row CHECK (id IS TRUE)
"""


def upgrade() -> None:
    """Add a column, its index and its trigger; the version before goes on working."""
    online.change(ONE_ROW)
    online.add_columns("erased_identities", "given_up_by integer")
    online.replace_foreign_key("erased_identities", "given_up_by", "users", "SET NULL")
    online.add_index(
        "erased_identities_given_up_by_idx", "erased_identities (given_up_by) WHERE given_up_by IS NOT NULL"
    )
    online.change(*(function.create for function in routines.FUNCTIONS if function.name == "extend_given_up"))
    for trigger in routines.TRIGGERS:
        if trigger.name == "extend_given_up":
            online.change(trigger.create, locks=["users"])
