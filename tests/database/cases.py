"""Databases of the legacy application as they may really be: what is odd about each, and what `db-check` says of it."""

from dataclasses import dataclass

MEMBERS = (
    "INSERT INTO users (id, username, password, email) SELECT {ids}, 'hand-' || n, '', 'hand-' || n FROM {numbers} n"
)
SHELLS = """
INSERT INTO users (id, username, password, email, uid, total_wager)
SELECT 1000 + n * 7, 'player ' || n, CASE n % 3 WHEN 0 THEN '' WHEN 1 THEN 'external_user' ELSE '$2b$10$' || repeat('a', 53) END,
    CASE n % 2 WHEN 0 THEN n || '@goated.placeholder' ELSE 'player' || n || '@goated.placeholder.com' END, 'feed' || n, n / 3.0
FROM generate_series(1, 60) n;
"""
# The schema of the platform's public code, on the guide's tables: columns and tables of its own.
REAL_SHAPE = """
ALTER TABLE users ADD telegram_id text UNIQUE, ADD goated_id text, ADD goated_account_linked boolean DEFAULT false,
    ADD telegram_verified_at timestamptz, ADD last_login_ip text, ADD api_token jsonb DEFAULT '{}';
CREATE TABLE session (sid varchar NOT NULL PRIMARY KEY, sess json NOT NULL, expire timestamp(6) NOT NULL);
CREATE INDEX "IDX_session_expire" ON session (expire);
CREATE TABLE verification_requests (id serial PRIMARY KEY, user_id integer REFERENCES users, status text DEFAULT 'pending');
CREATE TYPE telegram_state AS ENUM ('new', 'linked');
CREATE TABLE telegram_users (id serial PRIMARY KEY, state telegram_state, user_id integer REFERENCES users);
"""
TRAPS = "CREATE SCHEMA {0}; CREATE VIEW {0}.users AS SELECT 1 AS one; CREATE TABLE {0}.outbox (id integer);"
MOVE_TO_APP = "CREATE SCHEMA app; " + "; ".join(
    f"ALTER TABLE {table} SET SCHEMA app"
    for table in [
        "users",
        "wheel_spins",
        "bonus_codes",
        "wager_races",
        "wager_race_participants",
        "historical_races",
        "support_tickets",
        "ticket_messages",
        "newsletter_subscriptions",
        "notification_preferences",
    ]
)


@dataclass(frozen=True)
class Case:
    """A database, and what is said of it.

    Parameters
    ----------
    sql: what is done to a database of the guide's before its adoption; `{database}` is its name.
    before: how lines begin that `db-check` has before.
    after: what is done to the adopted database, and how the lines begin that it then has.
    harmless: whether the adoption begins without any of the commands that the lines have.
    is_begun: whether the adoption begins once the commands are run; else no command mends it.
    has_own_cluster: it touches roles or the server, which other databases share.
    login: who adopts.
    since: the oldest version of PostgreSQL that this is true of.
    options: of CREATE DATABASE.
    database: its name, if it is not one as any other.
    """

    sql: str = ""
    before: tuple[str, ...] = ()
    after: tuple[str, tuple[str, ...]] = ("", ())
    harmless: bool = True
    is_begun: bool = True
    has_own_cluster: bool = False
    login: str = "postgres"
    since: int = 15
    options: str = ""
    database: str = ""

    @property
    def needs_icu(self) -> bool:
        """Whether it takes a PostgreSQL that is built with ICU, as Debian's is and the embedded one is not."""
        return "icu" in self.options


def mended(sql: str, *before: str) -> Case:
    """A database that the commands mend before its adoption."""
    return Case(sql, before, harmless=False)


def broken_later(sql: str, *lines: str, has_own_cluster: bool = False) -> Case:
    """An adopted database that something is done to, which the commands put right."""
    return Case(after=(sql, lines), has_own_cluster=has_own_cluster)


OWNER = """
CREATE ROLE {database}_owner LOGIN CREATEROLE; GRANT {database}_owner TO CURRENT_USER;
ALTER DATABASE {database} OWNER TO {database}_owner; ALTER SCHEMA public OWNER TO {database}_owner;
""" + " ".join(
    f"ALTER TABLE {table} OWNER TO {{database}}_owner;"
    for table in [
        "users",
        "wheel_spins",
        "bonus_codes",
        "wager_races",
        "wager_race_participants",
        "historical_races",
        "support_tickets",
        "ticket_messages",
        "newsletter_subscriptions",
        "notification_preferences",
    ]
)

CASES = {
    "as Drizzle makes it": Case(),
    # Ids
    "the next id is taken": Case(
        MEMBERS.format(ids="(SELECT last_value FROM users_id_seq) + n", numbers="generate_series(1, 1)"),
        ("note    sequence users_id_seq gives",),
    ),
    "ids by hand in several tables": Case(
        MEMBERS.format(ids="500 + n", numbers="generate_series(1, 80)")
        + "; INSERT INTO wheel_spins (id, segment_index) SELECT n, 0 FROM generate_series(100, 120) n;"
        "INSERT INTO bonus_codes (id, code, expires_at) SELECT n, n, now() FROM generate_series(100, 120) n;"
        "INSERT INTO newsletter_subscriptions (id, email) VALUES (7, 'seven@a.io');"
        "INSERT INTO support_tickets (id, subject, description) VALUES (2, 'x', 'x'), (3, 'x', 'x')",
        tuple(
            f"note    sequence {table}_id_seq gives"
            for table in ("bonus_codes", "newsletter_subscriptions", "support_tickets", "users", "wheel_spins")
        ),
    ),
    "an id at the end of integer": Case(
        MEMBERS.format(ids="2147483647", numbers="generate_series(1, 1)")
        + ";"
        + MEMBERS.replace("'hand-'", "'low-'").format(ids="40 + n", numbers="generate_series(1, 3)"),
        ("note    sequence users_id_seq gives",),
    ),
    "ids below one": Case(MEMBERS.format(ids="-n", numbers="generate_series(0, 3)")),
    "a sequence of another name": Case(
        "ALTER SEQUENCE users_id_seq RENAME TO members_numbers; ALTER SEQUENCE members_numbers OWNED BY NONE;"
        + MEMBERS.format(ids="nextval('members_numbers') + 3", numbers="generate_series(1, 3)"),
        ("note    sequence members_numbers gives",),
    ),
    "identity ids": Case(
        "ALTER TABLE users ALTER id DROP DEFAULT; DROP SEQUENCE users_id_seq;"
        "ALTER TABLE users ALTER id ADD GENERATED BY DEFAULT AS IDENTITY",
        ("note    sequence users_id_seq gives 1 next",),
    ),
    "identity ids, always": Case(
        "ALTER TABLE bonus_codes ALTER id DROP DEFAULT; DROP SEQUENCE bonus_codes_id_seq;"
        "ALTER TABLE bonus_codes ALTER id ADD GENERATED ALWAYS AS IDENTITY (START 50)",
    ),
    "ids without a default": mended(
        "ALTER TABLE users ALTER id DROP DEFAULT; DROP SEQUENCE users_id_seq",
        "MEND    column users.id lacks its default",
    ),
    # Keys
    "only one row without a uid": mended(
        "UPDATE users SET uid = id WHERE id > 1; ALTER TABLE users DROP CONSTRAINT users_uid_unique,"
        "ADD CONSTRAINT users_uid_unique UNIQUE NULLS NOT DISTINCT (uid)",
        "MEND    unique key users_uid_unique of users lets only one row be without a value",
    ),
    "a key that is checked late": mended(
        "ALTER TABLE users DROP CONSTRAINT users_email_unique, ADD CONSTRAINT users_email_unique UNIQUE (email)"
        " DEFERRABLE INITIALLY DEFERRED",
        "MEND    unique key users_email_unique of users is DEFERRABLE",
    ),
    "keys ignoring case of its own": Case(
        "CREATE UNIQUE INDEX members_email ON users (lower(email)); CREATE UNIQUE INDEX codes ON bonus_codes (upper(code))"
    ),
    "keys that are indexes": Case(
        "ALTER TABLE users DROP CONSTRAINT users_email_unique; CREATE UNIQUE INDEX users_email_unique ON users (email)"
    ),
    "a key that is missing": mended(
        "ALTER TABLE bonus_codes DROP CONSTRAINT bonus_codes_code_unique",
        "MEND    bonus_codes lacks its unique key (code)",
    ),
    # Members nobody can let in
    "shells": Case(SHELLS, ("note    users: shells", "note    sequence users_id_seq gives")),
    "bcrypt passwords of members with an address": Case(
        "UPDATE users SET password = '$2b$10$' || repeat('a', 53) WHERE id = 2",
        ("note    users: members with a password that no log-in can prove: 1 row, id 2",),
    ),
    "addresses and uids with what nobody sees": Case(
        "UPDATE users SET email = ' gap@a.io', uid = E'uid\\u200b' WHERE id = 2; UPDATE users SET uid = 'AbC' WHERE id = 3;"
        "INSERT INTO users (username, password, email, uid) SELECT 'low', password, E'low\\u00e9@a.io', 'aBc' FROM users"
        " WHERE id = 3",
        (
            "DECIDE  users: members with an e-mail address that no mail reaches: 2 rows, id 2, 4",
            "DECIDE  users: uids that are empty, or have white space or invisible characters in them: 1 row, id 2",
            "DECIDE  users: uids equal to an older member's, ignoring case: 1 row, id 4 (like 3)",
        ),
    ),
    "the platform's real shape": Case(
        REAL_SHAPE + SHELLS, ("note    users: shells", "note    sequence users_id_seq gives")
    ),
    # Schemas
    "the tables in another schema": mended(
        MOVE_TO_APP + "; ALTER DATABASE {database} SET search_path TO app, public",
        "MEND    the guide's tables are in the schema app, and not in public",
    ),
    "another schema first in the search path": Case(
        TRAPS.format("first") + "ALTER DATABASE {database} SET search_path TO first, public"
    ),
    "a schema named as the login": Case(TRAPS.format("postgres")),
    "schemas named as the functions' roles": Case(TRAPS.format("api") + TRAPS.format("jobs")),
    "no schema in the search path": Case("ALTER DATABASE {database} SET search_path TO ''"),
    # Rights
    "no CONNECT for PUBLIC": Case("REVOKE CONNECT ON DATABASE {database} FROM PUBLIC"),
    "no EXECUTE for PUBLIC": Case("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC"),
    "no USAGE of public for PUBLIC": Case("REVOKE ALL ON SCHEMA public FROM PUBLIC"),
    "CONNECT is taken away later": broken_later(
        "REVOKE CONNECT ON DATABASE {database} FROM PUBLIC, api", "DO      role api lacks CONNECT ON DATABASE"
    ),
    "an owner that is no superuser": Case(OWNER, has_own_cluster=True, login="{database}_owner"),
    "the server's second database": Case(
        OWNER + "CREATE ROLE api LOGIN; CREATE ROLE jobs LOGIN",
        (
            "MEND    role api, as which functions log in, is there, and {database}_owner may not alter it",
            "MEND    role jobs, as which functions log in, is there, and {database}_owner may not alter it",
        ),
        harmless=False,
        has_own_cluster=True,
        login="{database}_owner",
        since=16,
    ),
    "the roles are there, and shut": Case(
        "CREATE ROLE api NOLOGIN CONNECTION LIMIT 0 VALID UNTIL '2001-01-01'; CREATE ROLE jobs NOLOGIN SUPERUSER BYPASSRLS",
        has_own_cluster=True,
    ),
    # Settings
    "settings of the database": Case(
        "ALTER DATABASE {database} SET statement_timeout TO '2s'; ALTER DATABASE {database} SET bytea_output TO escape;"
        "ALTER DATABASE {database} SET default_transaction_isolation TO serializable;"
        "ALTER DATABASE {database} SET \"DateStyle\" TO 'German'",
    ),
    "settings of the roles": broken_later(
        "ALTER ROLE api SET default_transaction_read_only TO on; ALTER ROLE api SET bytea_output TO escape;"
        "ALTER ROLE api SET search_path TO nowhere; ALTER ROLE api CONNECTION LIMIT 0 VALID UNTIL '2001-01-01'",
        "DO      role api has a limit of connections",
        "DO      role api has an end (VALID UNTIL)",
        "DO      role api lacks its search_path of public",
        "DO      role api lacks its default_transaction_read_only of off",
        "DO      role api lacks its bytea_output of hex",
        has_own_cluster=True,
    ),
    "settings of a role in the database": broken_later(
        "ALTER ROLE api IN DATABASE {database} SET statement_timeout TO '1ms';"
        "ALTER ROLE jobs IN DATABASE {database} SET search_path TO nowhere",
        "DO      role api has another statement_timeout in this database, 1ms",
        "DO      role jobs has another search_path in this database, nowhere",
    ),
    "triggers that do not fire": mended(
        "ALTER DATABASE {database} SET session_replication_role TO replica",
        "MEND    DATABASE {database} has session_replication_role replica",
    ),
    # Stored, typed and named otherwise
    "a partitioned table": Case(
        "DROP TABLE wheel_spins CASCADE; CREATE TABLE wheel_spins (id serial PRIMARY KEY, user_id integer REFERENCES users,"
        "segment_index integer NOT NULL, reward_code text, timestamp timestamp NOT NULL DEFAULT now()) PARTITION BY HASH (id);"
        "CREATE TABLE spins_of_all PARTITION OF wheel_spins FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
        ("MEND    table wheel_spins is partitioned",),
        harmless=False,
        is_begun=False,
    ),
    "unlogged tables": mended(
        "ALTER TABLE ticket_messages SET UNLOGGED; ALTER TABLE support_tickets SET UNLOGGED;"
        "ALTER TABLE newsletter_subscriptions SET UNLOGGED",
        "MEND    tables without a write-ahead log, which a crash empties: newsletter_subscriptions, support_tickets, ticket",
    ),
    "a table that inherits": mended(
        "CREATE TABLE old_spins () INHERITS (wheel_spins); INSERT INTO old_spins (id, segment_index) VALUES (1, 0)",
        "MEND    table old_spins inherits from wheel_spins",
    ),
    "an enum with a name of ours": mended(
        "CREATE TYPE rewards AS ENUM ('free')", "MEND    type rewards is where one of ours"
    ),
    "a domain with a name of ours": mended(
        "CREATE DOMAIN outbox AS text", "MEND    domain outbox is where one of ours"
    ),
    "a composite type with a name of ours": mended(
        "CREATE TYPE sessions AS (sid text)", "MEND    type sessions is where one of ours"
    ),
    "a view with a name of ours": mended(
        "CREATE VIEW rewards AS SELECT 1 AS one", "MEND    table rewards is where one of"
    ),
    "a sequence with a name of ours": mended(
        "CREATE SEQUENCE outbox_id_seq", "MEND    sequence outbox_id_seq is where one"
    ),
    "a column with a name of ours": mended(
        "ALTER TABLE users ADD is_shell text", "MEND    column users.is_shell is where one of ours will be"
    ),
    "another collation": mended(
        'ALTER TABLE users ALTER email TYPE text COLLATE "C"',
        'MEND    column users.email is TEXT COLLATE "C", not TEXT',
    ),
    "numbers without a precision": mended(
        "ALTER TABLE users ALTER total_wager TYPE numeric, ALTER total_wager SET DEFAULT '0'",
        "MEND    column users.total_wager is NUMERIC, not NUMERIC(18, 8)",
    ),
    "times without microseconds": mended(
        "ALTER TABLE users ALTER created_at TYPE timestamp(3); ALTER TABLE wheel_spins ALTER timestamp TYPE timestamp(0)",
        "MEND    column users.created_at is TIMESTAMP(3) WITHOUT TIME ZONE",
        "MEND    column wheel_spins.timestamp is TIMESTAMP(0) WITHOUT TIME ZONE",
    ),
    "texts of a length": mended(
        "ALTER TABLE users ALTER username TYPE varchar(255)", "MEND    column users.username is VARCHAR(255), not TEXT"
    ),
    "foreign keys that cascade": mended(
        "ALTER TABLE wheel_spins DROP CONSTRAINT wheel_spins_user_id_users_id_fk, ADD CONSTRAINT"
        " wheel_spins_user_id_users_id_fk FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE",
        "MEND    wheel_spins has another foreign key (user_id) to users",
    ),
    "a time zone": Case(
        "ALTER DATABASE {database} SET timezone TO 'America/New_York'", ("DO      the time zone is America/",)
    ),
    # Made otherwise
    "a Turkish database": Case(
        before=("MEND    in the database's locale the lower case of I is not i, so names and addresses with an I",),
        harmless=False,
        is_begun=False,
        options="LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR'",
    ),
    "a database of another ICU locale": Case(options="LOCALE_PROVIDER icu ICU_LOCALE 'de-DE'"),
    "a database of the locale C": Case(options="LOCALE_PROVIDER libc LOCALE 'C'"),
    "a database of another encoding": Case(
        before=("MEND    the database's encoding is LATIN1",),
        harmless=False,
        is_begun=False,
        options="LOCALE_PROVIDER libc LOCALE 'C' ENCODING 'LATIN1'",
    ),
    # After the adoption
    "a function with another body": broken_later(
        "CREATE OR REPLACE FUNCTION code_key(code text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS"
        " 'SELECT upper(code)'",
        "MEND    function code_key has another body",
    ),
    "a function with other rights": broken_later(
        "ALTER FUNCTION identity_hash SECURITY INVOKER", "MEND    function identity_hash has other options or settings"
    ),
    "a trigger that never fires": broken_later(
        "CREATE OR REPLACE TRIGGER fill_email_key_of_new AFTER INSERT ON users FOR EACH ROW WHEN (false)"
        " EXECUTE FUNCTION fill_users_email_key()",
        "MEND    trigger fill_email_key_of_new of users is another one",
    ),
    "a trigger that is disabled": broken_later(
        "ALTER TABLE users DISABLE TRIGGER mark_shell", "MEND    trigger mark_shell of users is disabled"
    ),
    "EXECUTE for everybody": broken_later(
        "GRANT EXECUTE ON FUNCTION identity_hash TO PUBLIC",
        "DO      everybody has and must not have EXECUTE on identity_hash",
    ),
    "EXECUTE for nobody": broken_later(
        "REVOKE EXECUTE ON FUNCTION identity_hash FROM api, jobs",
        "DO      role api lacks EXECUTE on identity_hash",
        "DO      role jobs lacks EXECUTE on identity_hash",
    ),
    "ids by hand after the adoption": broken_later(
        MEMBERS.format(ids="(SELECT last_value FROM users_id_seq) + 400 + n", numbers="generate_series(1, 9)"),
        "MEND    sequence users_id_seq gives",
    ),
}
