"""Examples for the OpenAPI document, made from the schemas that they must fit."""

from typing import Any

type Json = dict[str, Any]

# Plausible values for fields whose schema does not suggest one, by the field's name or by `Model.field`.
PLAUSIBLE: dict[str, object] = {
    "action": "update_member",
    "actual": "one_draw",
    "approximate": ["members"],
    "author": "lucky_goat",
    "bio": "I like long walks on steep hills.",
    "client_seed": "lucky-goat",
    "code": "WELCOME-GOAT",
    "description": "My bonus code is not accepted.",
    "detail": "must be a positive integer",
    "end_date": "2026-05-08T00:00:00Z",
    "excluded_until": None,
    "Exclusion.excluded_until": "2026-06-01T00:00:00Z",
    "ExclusionRunningProblem.excluded_until": "2026-06-01T00:00:00Z",
    "ExclusionShorterProblem.excluded_until": "2026-06-01T00:00:00Z",
    "expected": "one_draw",
    "expires_at": "2026-06-01T00:00:00Z",
    "IdempotencyKeyReusedProblem.errors": [
        {"pointer": "", "detail": "This Idempotency-Key was used with another body"}
    ],
    "label": "$5 code",
    "linked_uid": None,
    "message": "Thank you, that helped.",
    "name": "LuckyGoat",
    "next_cursor": None,
    "next_spin_at": "2026-05-02T00:00:00Z",
    "odds": "0.25",
    "payout_id": None,
    "pointer": "/username",
    "profile_color": "#D7FF00",
    "Race.description": "The five highest wagers of the week share the pool.",
    "RaceRequest.description": "The five highest wagers of the week share the pool.",
    "reference": "TX-20261201-0001",
    "reason": "The member sent a screenshot.",
    "request_id": "a1b2c3",
    "reward_code": "SPIN-7K4M-9QXD",
    "rules": "Slots only.",
    "server_seed": None,
    "start_date": "2026-05-01T00:00:00Z",
    "subject": "Bonus code",
    "suspended_at": None,
    "suspended_reason": None,
    "taken_by": None,
    "tier": "Gold",
    "time_zone": "America/Vancouver",
    "title": "Weekly race",
    "token": "gvp_3mJ0gqkQ8b7pV1xT5yR2nW9cF6hL4sD-aE_uZtKoNiM",
    "uid": "goat-4711",
    "username": "lucky_goat",
    "VerifiedEmail.email_verified": True,
    "weight": 25,
}
BY_TYPE: dict[str, object] = {"integer": 7, "number": 1, "boolean": False}
INSTANT, DAY, EMAIL, HASH = "2026-05-01T12:00:00Z", "2026-05-01", "lucky.goat@example.com", "9f" * 32


def example(schema: Json, schemas: Json, field: str = "", model: str = "") -> object:
    """Return a value that fits a schema.

    Parameters
    ----------
    schemas: the document's models, by name.
    field, model: the name of the field that the value is for, and of the model that has it.
    """
    if fixed := [schema["const"]] if "const" in schema else schema.get("enum"):
        return fixed[0]
    for name in (f"{model}.{field}", field):
        if name in PLAUSIBLE:
            return PLAUSIBLE[name]
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return example(schemas[name], schemas, field, name)
    if "examples" in schema:
        return schema["examples"][0]
    if choices := schema.get("anyOf"):
        return example(choices[0], schemas, field, model)
    match schema.get("type"):
        case "object":
            return {name: example(part, schemas, name, model) for name, part in schema.get("properties", {}).items()}
        case "array":
            return [example(schema["items"], schemas, "", model)]
        case "string":
            return _text(schema, field)
        case kind:
            return BY_TYPE.get(str(kind))


def _text(schema: Json, field: str) -> str:
    match schema.get("format"):
        case "date-time":
            return INSTANT
        case "date":
            return DAY
        case "email":
            return EMAIL
    return HASH if field.endswith("hash") else EMAIL if field == "email" else "text"
