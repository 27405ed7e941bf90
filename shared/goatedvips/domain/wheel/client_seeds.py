"""Who chose the client seed of a draw: the member, or nobody whom the draw would have to surprise.

The house knows every client seed that a member has used before, and the member's id. It could search for a server seed
that loses with such a client seed, and publish the commitment of that one. A client seed counts as the member's choice
only if the member first used it after the server seed was made. docs/fairness.md says what that is worth.
"""

from typing import Any

from sqlalchemy import ColumnElement, Text, and_, cast, func, select

from goatedvips.models.wheel import wheel_seeds, wheel_spins

_uses = wheel_spins.alias("uses")
_choices = wheel_seeds.alias("choices")


def is_members_choice(
    user_id: ColumnElement[Any], client_seed: ColumnElement[Any], made_at: ColumnElement[Any], *uses: ColumnElement[Any]
) -> ColumnElement[bool]:
    """Whether a client seed is not the member's id, and was first used after a server seed was made.

    A client seed is used by a spin, and by the rotation that the member chose it with.

    Parameters
    ----------
    user_id: the member.
    client_seed: the client seed in question.
    made_at: when the server seed was made.
    uses: times of uses that are not in the tables yet.
    """
    first_spin = (
        select(func.min(_uses.c.timestamp))
        .where(_uses.c.user_id == user_id, _uses.c.client_seed == client_seed)
        .correlate_except(_uses)
        .scalar_subquery()
    )
    first_choice = (
        select(func.min(_choices.c.activated_at))
        .where(_choices.c.user_id == user_id, _choices.c.chosen_client_seed == client_seed)
        .correlate_except(_choices)
        .scalar_subquery()
    )
    # LEAST ignores nulls, so a client seed that only spins or only rotations used has a first use as well.
    return and_(client_seed != cast(user_id, Text), func.least(first_spin, first_choice, *uses) > made_at)
