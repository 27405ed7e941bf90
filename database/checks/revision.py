"""The revision of an adopted database that lost it, for example in a partial restore: which step was the last."""

from sqlalchemy import Connection, inspect, text

from database.checks.finding import Command, Finding
from database.checks.schema import guide
from goatedvips.models import every

# Queries of the catalogue are text: there are no models of its tables.
LAST_MADE = {
    "platform_tables": "EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('wheel_spins')"
    " AND attname = 'client_seed')",
    "keys_for_adopted_rows": "to_regclass('wager_races_start_date_id_idx') IS NOT NULL",
    "oldest_rows_hold_the_keys": "EXISTS (SELECT FROM pg_trigger WHERE tgname = 'fill_email_key_of_changed'"
    " AND tgrelid = to_regclass('newsletter_subscriptions'))",
    "accounts_and_access": "to_regclass('audit_log_staff_id_idx') IS NOT NULL",
    "deletes_of_the_old_application": "EXISTS (SELECT FROM pg_constraint WHERE confdeltype = 'n'"
    " AND conrelid = to_regclass('wager_races') AND conname = 'wager_races_follows_id_wager_races_id_fk')",
    "invisible_characters_in_codes": "EXISTS (SELECT FROM pg_proc WHERE proname = 'code_key' AND prosrc LIKE '%NFKC%')",
    "turns_of_the_outbox": "to_regclass('outbox_turn_idx') IS NOT NULL AND to_regclass('outbox_due_at_idx') IS NULL",
    "shells": "EXISTS (SELECT FROM pg_trigger WHERE tgname = 'mark_shell' AND tgrelid = to_regclass('users'))",
    "pending_subscriptions": "to_regclass('newsletter_subscriptions_pending_idx') IS NOT NULL",
    "given_up_identities": "EXISTS (SELECT FROM pg_trigger WHERE tgname = 'extend_given_up'"
    " AND tgrelid = to_regclass('users'))",
    "figures": "to_regclass('figures') IS NOT NULL",
    "payouts": "to_regclass('bonus_codes_expires_at_idx') IS NOT NULL",
    "client_seeds_and_versions": "to_regclass('wheel_seeds_user_id_id_idx') IS NOT NULL"
    " AND to_regclass('wheel_seeds_user_id_idx') IS NULL",
    "code_batches": "to_regclass('bonus_codes_batch_id_id_idx') IS NOT NULL",
    "lists_by_index": "to_regclass('account_links_decided_idx') IS NOT NULL"
    " AND to_regclass('wager_race_participants_race_id_rank_id_idx') IS NULL",
    "feed_and_settlement": "to_regclass('wager_races_unsettled_idx') IS NOT NULL"
    " AND to_regclass('wager_accounts_read_at_idx') IS NULL",
    "settled_races": "to_regclass('race_boundaries_not_kept_idx') IS NOT NULL",
    "ticket_clocks": "to_regclass('ticket_messages_words_idx') IS NOT NULL"
    " AND to_regclass('support_tickets_waiting_idx') IS NULL",
    "end_of_the_feed_token": "EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('feeds')"
    " AND attname = 'token_ends_at')",
    "unsubscribe_and_bounces": "to_regclass('mailed_tokens_used_idx') IS NOT NULL",
    "preferences_and_inbox": "to_regclass('outbox_channel_turn_idx') IS NOT NULL"
    " AND to_regclass('outbox_turn_idx') IS NULL",
    "tiers_of_members": "EXISTS (SELECT FROM pg_trigger WHERE tgname = 'record_first_tiers'"
    " AND tgrelid = to_regclass('users'))",
    "statements": "to_regclass('wager_accounts_listed_wager_month_idx') IS NOT NULL"
    " AND to_regclass('wager_accounts_wager_month_idx') IS NULL",
    "campaigns": "EXISTS (SELECT FROM pg_constraint WHERE conname = 'outbox_campaign_id_campaigns_id_fk')",
    "mail_by_message": "to_regclass('outbox_message_id_idx') IS NOT NULL",
    "accepted_and_settled": "EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('accepted_falls')"
    " AND attname = 'last_feed_at')",
    "push_turns": "to_regclass('outbox_campaign_push_turn_idx') IS NOT NULL",
    "exclusions_end_later": "EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('users')"
    " AND attname = 'exclusion_ends_at')",
    "ends_of_exclusions": "to_regclass('users_exclusion_ends_at_idx') IS NOT NULL",
    "boards_in_blocks": "to_regclass('wager_accounts_is_fallen_idx') IS NOT NULL"
    " AND to_regclass('wager_accounts_fallen_idx') IS NULL",
    "unread_members": "EXISTS (SELECT FROM pg_trigger WHERE tgname = 'note_unread_of_changed'"
    " AND tgrelid = to_regclass('users'))",
}
"""What each step creates last: if it exists, the step was complete."""
MADE = "CREATE TABLE alembic_version (version_num varchar(32) CONSTRAINT alembic_version_pkc PRIMARY KEY); "


def lost(connection: Connection) -> Finding | None:
    """Return how to restore a missing revision, if the platform's tables exist."""
    if not _has_ours(connection):
        return None
    newest = next((step for step, made in reversed(LAST_MADE.items()) if _is_so(connection, made)), "guide_tables")
    make = "" if _is_so(connection, "to_regclass('alembic_version') IS NOT NULL") else MADE
    return Finding(
        f"tables of the platform are there without their revision, by what is there {newest}",
        f"{make}INSERT INTO alembic_version VALUES ('{newest}'), then look again",  # noqa: S608  it is shown, not sent
        Command.RESTORE_REVISION,
    )


def _is_so(connection: Connection, condition: str) -> bool:
    return bool(connection.scalar(text(f"SELECT {condition}")))


def _has_ours(connection: Connection) -> bool:
    """Whether the platform's tables exist; other applications have tables of the same names with other columns."""
    inspector = inspect(connection)
    present = {name: {column["name"] for column in found} for (_, name), found in inspector.get_multi_columns().items()}
    ours = every.metadata.tables.keys() - guide().tables.keys()
    return "username_key" in present.get("users", set()) or any(
        present[name].issuperset(every.metadata.tables[name].columns.keys()) for name in ours & present.keys()
    )
