"""Match bonus codes by their compatibility form (NFKC), without invisible characters and without any space or dash.

A code that is copied from a web page or typed on an East Asian keyboard may contain zero-width or full-width
characters, which nobody sees.

Forward only: a downgrade would bring back keys that may collide by now.
"""

from migrations import online

revision = "invisible_characters_in_codes"
down_revision = "deletes_of_the_old_application"

# The characters of the Unicode 15.1 categories Zs (spaces), Pd (dashes) and Cf (invisible ones), the minus sign, and
# what PostgreSQL regards as white space.
IGNORED = (
    r"\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
    r"\u058a\u05be\u1400\u1806\u2010-\u2015\u2212\u2e17\u2e1a\u2e3a\u2e3b\u2e40\u2e5d\u301c\u3030\u30a0\ufe31\ufe32\ufe58"
    r"\ufe63\uff0d\U00010ead"
    r"\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    r"\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001"
    r"\U000e0020-\U000e007f-"
)
CODE_KEY = rf"""
CREATE OR REPLACE FUNCTION code_key(code text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT upper(normalize(regexp_replace(normalize(code, NFKC), '[{IGNORED}]', '', 'g'), NFKC))
$$
"""
INDEX = "bonus_codes_without_key_idx"


def upgrade() -> None:
    """Replace the function, rebuild the index that stores its results, then renew the keys that differ."""
    online.change(CODE_KEY)
    with online.own_transactions() as connection:
        # What an earlier run left behind if it was cut off while it rebuilt the index.
        connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}_ccnew")
        connection.exec_driver_sql(f"REINDEX INDEX CONCURRENTLY {INDEX}")
    # A trigger gives a row without a key its new one, if no other row has it.
    online.fill(
        "bonus_codes",
        "r.code_key IS NOT NULL AND r.code_key <> code_key(r.code)",
        "UPDATE bonus_codes r SET code_key = NULL FROM batch WHERE r.id = batch.id RETURNING r.id",
    )
