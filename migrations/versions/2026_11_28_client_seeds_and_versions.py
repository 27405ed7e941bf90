"""A seed has the client seed that its rotation chose, and a version of the wheel the time from which it is in force.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations import online

revision = "client_seeds_and_versions"
down_revision = "payouts"


def upgrade() -> None:
    """Add two columns, and indexes for a member's spins and seeds; no row changes."""
    online.add_columns("wheel_seeds", "chosen_client_seed text")
    online.add_columns("wheel_versions", "in_force_from timestamp")
    # The condition holds for every spin; only the list of spins states it. Without it the trigger that fills spin_day
    # would read all spins of a member: the planner prefers the newest index where it has no statistics.
    online.add_index("wheel_spins_user_id_id_idx", "wheel_spins (user_id, id) WHERE id > 0")
    online.add_index(
        "wheel_spins_client_seed_idx",
        'wheel_spins (user_id, client_seed, "timestamp") WHERE client_seed IS NOT NULL',
    )
    online.add_index(
        "wheel_seeds_chosen_client_seed_idx",
        "wheel_seeds (user_id, chosen_client_seed, activated_at) WHERE chosen_client_seed IS NOT NULL",
    )
    online.add_index("wheel_seeds_user_id_id_idx", "wheel_seeds (user_id, id)")
    online.drop_index("wheel_seeds_user_id_idx")
