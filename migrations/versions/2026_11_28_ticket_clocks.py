"""Who waits on a ticket since when, when it was closed, who takes care of it; the queue's indexes, and words to search.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations import online, ticket_routines

revision = "ticket_clocks"
down_revision = "settled_races"

COLUMNS = (
    "assignee_id integer CONSTRAINT support_tickets_assignee_id_users_id_fk REFERENCES users (id) ON DELETE SET NULL",
    "waiting_since timestamp",
    "staff_replied_at timestamp",
    "closed_at timestamp",
)
# An instant that is none, such as an adopted `infinity`, becomes 1970.
FINITE = "CASE WHEN isfinite({0}) THEN {0} ELSE 'epoch' END"
FILL = f"""
    UPDATE support_tickets r SET
        staff_replied_at = CASE WHEN reply.is_last THEN {FINITE.format("reply.created_at")} END,
        waiting_since = CASE WHEN r.status <> 'closed' AND reply.is_last IS NOT TRUE
            THEN {FINITE.format("coalesce(unanswered.created_at, r.created_at)")} END,
        closed_at = CASE WHEN r.status = 'closed' THEN {FINITE.format("r.updated_at")} END
    FROM batch LEFT JOIN LATERAL (
        SELECT m.id, m.created_at, NOT EXISTS (
            SELECT FROM ticket_messages n WHERE n.ticket_id = batch.id AND n.id > m.id AND NOT n.is_internal
        ) AS is_last
        FROM ticket_messages m WHERE m.ticket_id = batch.id AND m.is_staff_reply AND NOT m.is_internal
        ORDER BY m.id DESC LIMIT 1
    ) reply ON true LEFT JOIN LATERAL (
        SELECT m.created_at FROM ticket_messages m
        WHERE m.ticket_id = batch.id AND m.id > reply.id AND NOT m.is_internal ORDER BY m.id LIMIT 1
    ) unanswered ON true
    WHERE r.id = batch.id RETURNING r.id
"""
POSITION = "(COALESCE(waiting_since, '9999-12-31 00:00:00'::timestamp without time zone))"
INDEXES = (
    ("support_tickets_queue_idx", f"support_tickets ({POSITION}, id) WHERE status <> 'closed'"),
    ("support_tickets_queue_by_priority_idx", f"support_tickets (priority, {POSITION}, id) WHERE status <> 'closed'"),
    (
        "support_tickets_queue_by_assignee_idx",
        f"support_tickets ((COALESCE(assignee_id, 0)), {POSITION}, id) WHERE status <> 'closed'",
    ),
    ("support_tickets_by_status_idx", f"support_tickets (status, {POSITION}, id)"),
    (
        "support_tickets_stale_idx",
        "support_tickets (staff_replied_at) WHERE staff_replied_at IS NOT NULL AND status <> 'closed'",
    ),
    (
        "support_tickets_words_idx",
        "support_tickets USING gin (to_tsvector('simple', left(subject || ' ' || description, 20000)))",
    ),
    ("ticket_messages_words_idx", "ticket_messages USING gin (to_tsvector('simple', left(message, 20000)))"),
)


def upgrade() -> None:
    """Add the columns and their triggers, fill old rows, and build the indexes."""
    online.change(
        f"ALTER TABLE support_tickets {', '.join(f'ADD COLUMN IF NOT EXISTS {column}' for column in COLUMNS)}",
        locks=["support_tickets", "users"],
    )
    online.change(*(function.create for function in ticket_routines.FUNCTIONS))
    for trigger in ticket_routines.TRIGGERS:
        online.change(trigger.create, locks=[trigger.table])
    online.fill(
        "support_tickets",
        "r.waiting_since IS NULL AND r.staff_replied_at IS NULL AND r.closed_at IS NULL",
        FILL,
    )
    for name, definition in INDEXES:
        online.add_index(name, definition)
    online.drop_index("support_tickets_waiting_idx")
