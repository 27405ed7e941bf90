"""${message.capitalize()}.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision).replace("'", '"')}
down_revision = ${repr(down_revision).replace("'", '"')}


def upgrade() -> None:
    """Only add, so that the running version works before, during and after."""
    ${upgrades if upgrades else "pass"}
