"""The function that signs unsubscribe tokens and verifies them, so that no role of the functions reads the keys."""

from migrations.declarations import SAFE_PATH, Function

# HMAC as in RFC 2104 with SHA-256. pgcrypto has it too, but no extension is needed otherwise.
HMAC_SHA256 = """
DECLARE
    inner_pad bytea := decode(repeat('36', 64), 'hex');
    outer_pad bytea := decode(repeat('5c', 64), 'hex');
    short_key bytea := CASE WHEN length(key) > 64 THEN sha256(key) ELSE key END;
BEGIN
    FOR i IN 0 .. length(short_key) - 1 LOOP
        inner_pad := set_byte(inner_pad, i, get_byte(inner_pad, i) # get_byte(short_key, i));
        outer_pad := set_byte(outer_pad, i, get_byte(outer_pad, i) # get_byte(short_key, i));
    END LOOP;
    RETURN sha256(outer_pad || sha256(inner_pad || message));
END
"""

# By each key, the newest first: that one signs, and all verify. A list has no colon in its name.
UNSUBSCRIBE_SIGNATURES = """
    SELECT array_agg(hmac_sha256(key, convert_to('unsubscribe:' || list || ':' || email, 'UTF8')) ORDER BY id DESC)
    FROM unsubscribe_keys
"""

FUNCTIONS = (
    Function(
        "hmac_sha256",
        "key bytea, message bytea",
        "bytea",
        "plpgsql",
        HMAC_SHA256,
        "IMMUTABLE STRICT PARALLEL SAFE",
    ),
    # With its owner's rights, so that callers cannot read the keys.
    Function(
        "unsubscribe_signatures",
        "list text, email text",
        "bytea[]",
        "sql",
        UNSUBSCRIBE_SIGNATURES,
        "STABLE STRICT",
        is_definer=True,
        settings=(SAFE_PATH,),
        callers=("api", "jobs"),
    ),
)
