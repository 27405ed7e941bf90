"""Databases of the legacy application as hosts of PostgreSQL make them, and as other applications leave them."""

from tests.database.cases import OWNER, Case, broken_later, mended

# Supabase: an HTTP API reads the schema public as `anon`, and row level security is turned on for each new table.
HTTP_API = """
CREATE ROLE anon; CREATE ROLE authenticated; CREATE ROLE service_role BYPASSRLS;
CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY, email text); CREATE TABLE auth.sessions (id uuid);
CREATE SCHEMA extensions; ALTER DATABASE {database} SET search_path TO "$user", public, extensions;
GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role;
GRANT ALL ON ALL TABLES IN SCHEMA public TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON SEQUENCES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role;
ALTER TABLE users ENABLE ROW LEVEL SECURITY; CREATE POLICY own_row ON users TO authenticated USING (false);
CREATE FUNCTION auth.protect() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE made record;
BEGIN
    FOR made IN SELECT object_identity FROM pg_event_trigger_ddl_commands()
        WHERE command_tag = 'CREATE TABLE' AND schema_name = 'public'
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', made.object_identity);
    END LOOP;
END $$;
CREATE EVENT TRIGGER ensure_rls ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION auth.protect();
"""
# What nobody needs to see to.
ADDITIONS = """
CREATE VIEW richest AS SELECT * FROM users ORDER BY total_wager DESC;
CREATE MATERIALIZED VIEW spins_of_all AS SELECT user_id, count(*) FROM wheel_spins GROUP BY user_id;
ALTER TABLE users ADD found tsvector GENERATED ALWAYS AS (to_tsvector('simple', username)) STORED, ADD gone integer;
ALTER TABLE users DROP gone; CREATE INDEX ON users USING gin (found); CREATE INDEX ON users USING hash (email);
CREATE STATISTICS of_users ON username, email FROM users; ALTER TABLE users SET (fillfactor = 90);
CREATE TABLE orders (id serial PRIMARY KEY, user_id integer REFERENCES users ON DELETE CASCADE,
    code text REFERENCES bonus_codes (code));
ALTER TABLE users RENAME CONSTRAINT users_pkey TO pk_users; CLUSTER users USING pk_users;
CREATE TABLE copy_of_users (LIKE users INCLUDING ALL);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := now(); RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON notification_preferences FOR EACH ROW EXECUTE FUNCTION touch();
CREATE PUBLICATION everything FOR ALL TABLES; GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC;
ALTER TABLE users ALTER created_at SET DEFAULT CURRENT_TIMESTAMP;
"""
NUMERIC_TOTAL = "ALTER TABLE users ALTER total_wager TYPE numeric, ALTER total_wager SET DEFAULT '0';"
# One step takes longer than the login's limits.
HASTY = """
CREATE ROLE {database}_hasty LOGIN SUPERUSER;
ALTER ROLE {database}_hasty IN DATABASE {database} SET statement_timeout TO '300ms';
ALTER ROLE {database}_hasty IN DATABASE {database} SET idle_in_transaction_session_timeout TO '300ms';
DO $$ BEGIN
    IF current_setting('server_version_num')::integer >= 170000 THEN
        ALTER ROLE {database}_hasty IN DATABASE {database} SET transaction_timeout TO '300ms';
    END IF;
END $$;
ALTER DATABASE {database} SET quote_all_identifiers TO on;
CREATE SCHEMA slow; CREATE FUNCTION slow.wait() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_sleep(0.4) FROM pg_event_trigger_ddl_commands() WHERE object_identity LIKE '%sessions';
END $$;
CREATE EVENT TRIGGER slow ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION slow.wait();
"""
THE_OWNER = OWNER.replace("{database}_owner", '"The ""Owner"""')

HOSTED_CASES = {
    "an HTTP API's roles, and row security of each new table": Case(HTTP_API, has_own_cluster=True),
    "an owner that is no superuser, of public too by the database": Case(
        OWNER.replace("ALTER SCHEMA public OWNER TO {database}_owner;", "ALTER ROLE {database}_owner BYPASSRLS;"),
        has_own_cluster=True,
        login="{database}_owner",
    ),
    "names in need of quotes": Case(THE_OWNER, has_own_cluster=True, login='The "Owner"', database='Goats "2" of it'),
    "a login that becomes the owner": Case(
        OWNER + "CREATE ROLE person LOGIN; GRANT {database}_owner TO person;"
        "ALTER ROLE person IN DATABASE {database} SET role TO {database}_owner",
        has_own_cluster=True,
        login="person",
    ),
    "things of other owners": Case(
        OWNER + "CREATE ROLE other; ALTER TABLE users OWNER TO other; ALTER TABLE wheel_spins OWNER TO other;"
        "ALTER TABLE bonus_codes OWNER TO CURRENT_USER; ALTER SEQUENCE support_tickets_id_seq OWNED BY NONE;"
        "ALTER SEQUENCE support_tickets_id_seq OWNER TO other; ALTER SEQUENCE ticket_messages_id_seq OWNED BY NONE;"
        "ALTER SEQUENCE ticket_messages_id_seq OWNER TO CURRENT_USER; ALTER ROLE {database}_owner NOINHERIT;"
        "CREATE TABLE theirs (id serial); CREATE VIEW also_theirs AS SELECT 1 AS one",
        (
            "MEND    {database}_owner does not own users, wheel_spins: connect as other, who does, or",
            "MEND    {database}_owner does not own bonus_codes: connect as postgres, who does, or ALTER TABLE",
            "MEND    {database}_owner does not own support_tickets_id_seq, which gives the ids of support_tickets",
            "MEND    {database}_owner does not own ticket_messages_id_seq, which gives the ids of ticket_messages",
        ),
        harmless=False,
        has_own_cluster=True,
        login="{database}_owner",
    ),
    "row level security": Case(
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY; ALTER TABLE wheel_spins ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY own_row ON users USING (username = current_user)",
    ),
    "row level security that binds the owner": mended(
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "MEND    row level security of users hides its rows even from its owner",
    ),
    "rules": mended(
        "CREATE TABLE log (id integer); CREATE RULE noted AS ON INSERT TO users DO ALSO INSERT INTO log VALUES (1);"
        "CREATE RULE silent AS ON UPDATE TO newsletter_subscriptions WHERE old.id = 9 DO INSTEAD NOTHING",
        "MEND    rule noted of users",
        "MEND    rule silent of newsletter_subscriptions",
    ),
    "a trigger that writes to another schema": mended(
        "CREATE SCHEMA private; CREATE TABLE private.log (what text); CREATE FUNCTION private.note() RETURNS trigger"
        " LANGUAGE plpgsql AS 'BEGIN INSERT INTO private.log VALUES (TG_TABLE_NAME); RETURN NULL; END';"
        "CREATE TRIGGER note AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION private.note()",
        "MEND    trigger note of users uses the schema private, in which the functions' roles have no rights",
    ),
    "a publication of rows without an identity": mended(
        "CREATE PUBLICATION everything FOR ALL TABLES; ALTER TABLE users REPLICA IDENTITY NOTHING",
        "MEND    a publication sends updates of users, and its rows have no replica identity",
    ),
    "what others have added": Case(ADDITIONS),
    "a required column in need of quotes": mended(
        'ALTER TABLE users ADD "Country" text NOT NULL DEFAULT \'x\'; ALTER TABLE users ALTER "Country" DROP DEFAULT',
        "MEND    column users.Country is not ours, and no row can be added without it",
    ),
    "types that no cast of PostgreSQL's own turns": mended(
        "ALTER TABLE wager_races ALTER prize_distribution TYPE text, ALTER start_date TYPE date;"
        "ALTER TABLE bonus_codes ALTER is_used DROP DEFAULT, ALTER is_used TYPE integer USING is_used::integer,"
        " ALTER is_used SET DEFAULT 0;"
        "ALTER TABLE users ALTER total_wager DROP DEFAULT, ALTER total_wager TYPE text,"
        " ALTER total_wager SET DEFAULT '0'",
        "MEND    column wager_races.prize_distribution is TEXT, not JSONB",
        "MEND    column bonus_codes.is_used is INTEGER, not BOOLEAN",
        "MEND    column users.total_wager is TEXT, not NUMERIC(18, 8)",
    ),
    "types that others are made of": mended(
        NUMERIC_TOTAL
        + "CREATE VIEW totals AS SELECT * FROM users; CREATE VIEW sums AS SELECT sum(total_wager) FROM totals;"
        "CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER pass BEFORE UPDATE OF total_wager ON users FOR EACH ROW EXECUTE FUNCTION pass();"
        "CREATE TYPE states AS ENUM ('open', 'closed');"
        "ALTER TABLE support_tickets ALTER status DROP DEFAULT, ALTER status TYPE states USING status::states,"
        " ALTER status SET DEFAULT 'open'",
        "MEND    column users.total_wager is NUMERIC, not NUMERIC(18, 8): DROP VIEW sums; DROP VIEW totals; DROP",
        "MEND    column support_tickets.status is states, not TEXT",
    ),
    "a column that is generated of another": Case(
        NUMERIC_TOTAL + "ALTER TABLE users ADD twice numeric GENERATED ALWAYS AS (total_wager * 2) STORED",
        ("MEND    column users.total_wager is NUMERIC, not NUMERIC(18, 8): first drop default value for column twice",),
        harmless=False,
        is_begun=False,
    ),
    "limits of time, and names all in quotes": Case(HASTY, login="{database}_hasty"),
    "strings with escapes": mended(
        "ALTER DATABASE {database} SET standard_conforming_strings TO off",
        "MEND    DATABASE {database} has standard_conforming_strings off",
    ),
    "a database that is shut later": broken_later(
        "ALTER DATABASE {database} CONNECTION LIMIT 0", "DO      database {database} allows no connections"
    ),
}
