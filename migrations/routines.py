"""The database's functions and triggers, declared once.

Every upgrade compares them with the catalogue and creates anew those that differ; `db-check` names them.  Earlier steps
keep the versions that they created in their time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from sqlalchemy import Connection, Row, text

from migrations import (
    board_routines,
    list_routines,
    mail_routines,
    online,
    ticket_routines,
    tier_routines,
    wager_routines,
)
from migrations.declarations import EVERYBODY, SAFE_PATH, Function, Key, Trigger

KEYS = (
    Key("users", "username_key", "username", "lower({})", update="UPDATE OF username, username_key"),
    Key("users", "email_key", "email", "lower({})", update="UPDATE OF email, email_key"),
    Key("wheel_spins", "spin_day", '"timestamp"', "({})::date", "user_id"),
    Key("wager_race_participants", "member_key", "user_id", "{}", "race_id"),
    Key("bonus_codes", "code_key", "code", "code_key({})"),
    Key("newsletter_subscriptions", "email_key", "email", "lower({})"),
)

# The characters of the Unicode 15.1 categories Zs (spaces), Pd (dashes) and Cf (invisible ones), the minus sign, and
# what PostgreSQL regards as white space.
IGNORED_IN_CODES = (
    r"\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
    r"\u058a\u05be\u1400\u1806\u2010-\u2015\u2212\u2e17\u2e1a\u2e3a\u2e3b\u2e40\u2e5d\u301c\u3030\u30a0\ufe31\ufe32\ufe58"
    r"\ufe63\uff0d\U00010ead"
    r"\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    r"\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001"
    r"\U000e0020-\U000e007f-"
)
CODE_KEY = rf"""
    SELECT upper(normalize(regexp_replace(normalize(code, NFKC), '[{IGNORED_IN_CODES}]', '', 'g'), NFKC))
"""

# Keyed, so that nobody who reads the table can test values against it, and with the owner's rights, so that callers
# cannot read the key.  Hashed twice, as HMAC does, so that nothing can be appended to the value.
IDENTITY_HASH = """
    SELECT sha256(key || sha256(key || convert_to(kind || ':' || value, 'UTF8'))) FROM identity_key
"""

# The functions' roles cannot change the audit log.  With its owner's rights this removes a member whose row is marked
# as erased: every text of entries about them, and their verified address from all other entries.
REDACT_AUDIT_LOG = r"""
DECLARE
    erased users;
    address text;
BEGIN
    SELECT * INTO erased FROM users WHERE id = member AND erased_at IS NOT NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'member % is not erased', member;
    END IF;
    UPDATE audit_log SET before = without_texts(before), after = without_texts(after) WHERE
        (action IN ('update_member', 'withdraw_payout') AND subject_id = member)
        OR (action = 'grant_reward' AND subject_id IN (SELECT id FROM reward_grants WHERE user_id = member))
        OR (action = 'reference_payout' AND subject_id IN (SELECT id FROM payouts WHERE user_id = member))
        OR (action = 'update_participant'
            AND subject_id IN (SELECT id FROM wager_race_participants WHERE user_id = member))
        OR (action = 'accept_fall' AND subject_id IN (SELECT id FROM wager_accounts WHERE user_id = member))
        OR (action = 'decide_link' AND subject_id IN (SELECT id FROM account_links WHERE user_id = member))
        OR (action IN ('issue_code', 'revoke_code')
            AND subject_id IN (SELECT id FROM bonus_codes WHERE user_id = member))
        OR (action IN ('issue_batch', 'revoke_batch')
            AND subject_id IN (SELECT id FROM code_batches WHERE user_id = member))
        OR (action IN ('triage_ticket', 'close_ticket')
            AND subject_id IN (SELECT id FROM support_tickets WHERE user_id = member));
    IF erased.email_verified AND erased.email ~ '^[^@\s"\\]+@[^@\s"\\]+\.[^@\s"\\]+$' THEN
        -- Only as a whole address, not as a part of a longer one.
        address := '(?<![\w.%+-])' || regexp_replace(erased.email, '(\W)', '\\\1', 'g') || '(?![\w-]|\.\w)';
        UPDATE audit_log SET
            before = regexp_replace(before::text, address, '(erased)', 'gi')::jsonb,
            after = regexp_replace(after::text, address, '(erased)', 'gi')::jsonb
        WHERE (before::text LIKE '%@%' AND before::text ~* address)
            OR (after::text LIKE '%@%' AND after::text ~* address);
    END IF;
END
"""

WITHOUT_TEXTS = """
    SELECT CASE jsonb_typeof(noted) WHEN 'object' THEN (
        SELECT jsonb_object_agg(key, CASE WHEN jsonb_typeof(value) IN ('boolean', 'number', 'null') THEN value
            ELSE '"(erased)"' END)
        FROM jsonb_each(noted)
    ) END
"""

# Our log-in verifies argon2id, and scrypt hashes in the format of the legacy application.  Mail reaches an ASCII
# address with a dot in its domain, unless the domain is reserved (RFC 2606, RFC 6762) or one of the placeholders that
# the legacy application made up.  example.com is not among them: it stands for real addresses in demo data and tests.
# Patterns are slow on 100,000 rows: a bounded repetition such as {128} takes 10 to 30 times as long as one without, and
# a pattern that is not anchored at the start about twice as long as a comparison of strings.
LACKS_PROOF = (
    "NOT (strpos(password, '.') = 129 AND length(password) > 129 AND password ~* '^[0-9a-f]+[.]'"
    " OR password LIKE '$argon2%')"
)
IS_SHELL = f"""
    SELECT {LACKS_PROOF} AND NOT is_mailable(email)
"""
IS_MAILABLE = r"""
    SELECT email ~* '^[a-z0-9!#$%&''*+/=?^_`{|}~.-]+@[a-z0-9-]+(\.[a-z0-9-]+)+$'
        AND position('@' IN email) <= 65 AND octet_length(email) <= 254
        AND lower(split_part(email, '.', -1))
            NOT IN ('test', 'example', 'invalid', 'localhost', 'local', 'placeholder')
        AND lower(right(email, 16)) NOT IN ('@placeholder.com', '.placeholder.com')
"""
MARK_SHELL = """
BEGIN
    NEW.is_shell := NEW.erased_at IS NULL AND is_shell(NEW.password, NEW.email);
    RETURN NEW;
END
"""

# A trigger, and no second statement of ours: it reads after the member is locked, and so sees what the transaction that
# it waited for gave up, and no path on which an exclusion grows can forget it.
EXTEND_GIVEN_UP = """
BEGIN
    UPDATE erased_identities SET
        excluded_permanently = excluded_permanently OR NEW.excluded_permanently,
        excluded_until = CASE WHEN NOT (excluded_permanently OR NEW.excluded_permanently)
            THEN greatest(excluded_until, NEW.excluded_until) END
    WHERE given_up_by = NEW.id;
    RETURN NULL;
END
"""

FUNCTIONS = (
    Function("is_mailable", "email text", "boolean", "sql", IS_MAILABLE, "IMMUTABLE PARALLEL SAFE"),
    Function("is_shell", "password text, email text", "boolean", "sql", IS_SHELL, "IMMUTABLE PARALLEL SAFE"),
    Function("mark_shell", "", "trigger", "plpgsql", MARK_SHELL, is_definer=True, settings=(SAFE_PATH,), callers=()),
    Function(
        "extend_given_up",
        "",
        "trigger",
        "plpgsql",
        EXTEND_GIVEN_UP,
        is_definer=True,
        settings=(SAFE_PATH,),
        callers=(),
    ),
    Function(
        "code_key",
        "code text",
        "text",
        "sql",
        CODE_KEY,
        "IMMUTABLE PARALLEL SAFE",
        # The legacy application's inserts execute it too, in an index and in a trigger's condition.
        callers=(EVERYBODY,),
    ),
    Function(
        "identity_hash",
        "kind text, value text",
        "bytea",
        "sql",
        IDENTITY_HASH,
        "STABLE STRICT",
        is_definer=True,
        settings=(SAFE_PATH,),
        callers=("api", "jobs"),
    ),
    Function(
        "redact_audit_log",
        "member integer",
        "void",
        "plpgsql",
        REDACT_AUDIT_LOG,
        is_definer=True,
        settings=(SAFE_PATH,),
        callers=("api",),
    ),
    Function("without_texts", "noted jsonb", "jsonb", "sql", WITHOUT_TEXTS, "IMMUTABLE PARALLEL SAFE"),
    *list_routines.FUNCTIONS,
    *wager_routines.FUNCTIONS,
    *board_routines.FUNCTIONS,
    *ticket_routines.FUNCTIONS,
    *mail_routines.FUNCTIONS,
    *tier_routines.FUNCTIONS,
    *(function for key in KEYS for function in key.functions()),
)
TRIGGERS = (
    *(trigger for key in KEYS for trigger in key.triggers()),
    Trigger("users", "mark_shell", "BEFORE INSERT OR UPDATE OF password, email", "", "mark_shell"),
    *list_routines.TRIGGERS,
    *wager_routines.TRIGGERS,
    *board_routines.TRIGGERS,
    *ticket_routines.TRIGGERS,
    *tier_routines.TRIGGERS,
)

_FUNCTIONS = text("""
    SELECT proname, prosrc, prosecdef, coalesce(proconfig, '{}') AS settings, provolatile, proisstrict, proparallel,
        lanname, pg_get_function_result(pg_proc.oid) AS returns
    FROM unnest(CAST(:signatures AS text[])) signature JOIN pg_proc ON pg_proc.oid = to_regprocedure(signature)
    JOIN pg_language ON pg_language.oid = prolang
""")
_TRIGGERS = text("""
    SELECT relname, tgname, replace(pg_get_triggerdef(pg_trigger.oid), 'public.', ''), tgenabled IN ('O', 'A')
    FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
    WHERE NOT tgisinternal AND relnamespace = to_regnamespace('public')
""")
_TABLES = text("SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('public') AND relkind IN ('r', 'p')")


class DifferenceKind(Enum):
    """How a function or trigger can differ from its declaration."""

    FUNCTION_MISSING = auto()
    FUNCTION_HAS_ANOTHER_BODY = auto()
    FUNCTION_HAS_OTHER_OPTIONS = auto()
    TRIGGER_MISSING = auto()
    TRIGGER_IS_ANOTHER = auto()
    TRIGGER_DISABLED = auto()


@dataclass(frozen=True)
class Difference:
    """A function or trigger that is not as it is declared.

    Parameters
    ----------
    what: a sentence without its full stop.
    table: the table that a trigger belongs to; empty for a function.
    repair: the statements that make it so.
    """

    kind: DifferenceKind
    what: str
    repair: str
    table: str = ""


def differences(connection: Connection) -> Iterator[Difference]:
    """Yield the functions and triggers that are missing or differ; triggers only of tables that exist."""
    rows = connection.execute(_FUNCTIONS, {"signatures": [function.signature for function in FUNCTIONS]})
    present = {row.proname: row for row in rows}
    for function in FUNCTIONS:
        row = present.get(function.name)
        if row is None:
            yield Difference(DifferenceKind.FUNCTION_MISSING, f"function {function.name} is missing", function.create)
        elif row.prosrc != function.body:
            what = f"function {function.name} has another body"
            yield Difference(DifferenceKind.FUNCTION_HAS_ANOTHER_BODY, what, function.create)
        elif not _has_options(function, row):
            what = f"function {function.name} has other options or settings"
            yield Difference(DifferenceKind.FUNCTION_HAS_OTHER_OPTIONS, what, function.create)
    tables = set(connection.scalars(_TABLES))
    found = {(table, name): (definition, is_on) for table, name, definition, is_on in connection.execute(_TRIGGERS)}
    for trigger in TRIGGERS:
        if trigger.table not in tables:
            continue
        definition, is_on = found.get((trigger.table, trigger.name), ("", True))
        of = f"trigger {trigger.name} of {trigger.table}"
        if not definition:
            yield Difference(DifferenceKind.TRIGGER_MISSING, f"{of} is missing", trigger.create, trigger.table)
        elif definition != trigger.definition:
            yield Difference(DifferenceKind.TRIGGER_IS_ANOTHER, f"{of} is another one", trigger.create, trigger.table)
        elif not is_on:
            yield Difference(DifferenceKind.TRIGGER_DISABLED, f"{of} is disabled", trigger.create, trigger.table)


def _has_options(function: Function, row: Row[Any]) -> bool:
    options = function.options
    wanted = {
        "prosecdef": function.is_definer,
        "provolatile": "i" if "IMMUTABLE" in options else "s" if "STABLE" in options else "v",
        "proisstrict": "STRICT" in options,
        "proparallel": "s" if "PARALLEL SAFE" in options else "u",
        "lanname": function.language,
        "returns": function.returns,
    }
    is_same = all(getattr(row, name) == value for name, value in wanted.items())
    return is_same and set(row.settings) == set(function.settings)


def ensure(connection: Connection) -> None:
    """Create the functions and triggers that are missing or differ, each in a short transaction of its own.

    Raises
    ------
    CommandError: for minutes another transaction has locked the table of a trigger.
    """
    pending = list(differences(connection))
    connection.commit()
    with online.outside_steps(connection):
        for difference in pending:
            online.change(difference.repair, locks=[difference.table] if difference.table else [])
