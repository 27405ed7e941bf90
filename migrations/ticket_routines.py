"""The functions and triggers that keep the clocks of tickets, for messages of the legacy application too."""

from migrations.declarations import SAFE_PATH, Function, Trigger

# A new ticket waits for staff since it was opened.
START_WAITING = """
BEGIN
    IF NEW.status <> 'closed' AND isfinite(NEW.created_at) THEN
        NEW.waiting_since := NEW.created_at;
    END IF;
    RETURN NEW;
END
"""
# A closed ticket waits for nobody. One that is opened again waits from then on, unless staff wrote last. now() is for
# updates of the legacy application that leave updated_at as it was; ours write it.
FOLLOW_STATUS = """
DECLARE
    changed_at timestamp := CASE WHEN NEW.updated_at IS DISTINCT FROM OLD.updated_at AND isfinite(NEW.updated_at)
        THEN NEW.updated_at ELSE now() AT TIME ZONE 'UTC' END;
BEGIN
    IF NEW.status = 'closed' THEN
        NEW.closed_at := changed_at;
        NEW.waiting_since := NULL;
    ELSIF OLD.status = 'closed' THEN
        NEW.waiting_since := CASE WHEN OLD.staff_replied_at IS NULL THEN changed_at END;
    END IF;
    RETURN NEW;
END
"""
# Internal notes fire no trigger. A reply of ours has locked the ticket before; an insert of the legacy application
# never fails here, and waits 300 ms at most.
FOLLOW_MESSAGE = """
BEGIN
    UPDATE support_tickets SET
        waiting_since = CASE WHEN NOT NEW.is_staff_reply AND status <> 'closed'
            THEN coalesce(waiting_since, NEW.created_at) END,
        staff_replied_at = CASE WHEN NEW.is_staff_reply THEN NEW.created_at END
    WHERE id = NEW.ticket_id AND isfinite(NEW.created_at);
    RETURN NULL;
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
    RETURN NULL;
END
"""

FUNCTIONS = tuple(
    Function(name, "", "trigger", "plpgsql", body, is_definer=True, settings=(SAFE_PATH, *settings), callers=())
    for name, body, settings in (
        ("start_waiting", START_WAITING, ()),
        ("follow_status", FOLLOW_STATUS, ()),
        ("follow_message", FOLLOW_MESSAGE, ("lock_timeout=300ms",)),
    )
)
TRIGGERS = (
    Trigger("support_tickets", "start_waiting", "BEFORE INSERT", "(new.waiting_since IS NULL)", "start_waiting"),
    Trigger(
        "support_tickets",
        "follow_status",
        "BEFORE UPDATE OF status",
        "(old.status IS DISTINCT FROM new.status)",
        "follow_status",
    ),
    Trigger("ticket_messages", "follow_message", "AFTER INSERT", "(NOT new.is_internal)", "follow_message"),
)
