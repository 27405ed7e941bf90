"""`make openapi`: the OpenAPI documents of all handlers, merged by Powertools into the one that get_openapi serves."""

import json
import sys
from pathlib import Path
from typing import Any

from local import template
from local.database import ROOT

DOCUMENT = ROOT / "functions" / "operations" / "openapi.json"
RESOLVER = "api"


def document() -> dict[str, Any]:
    """Return the document of every function that has a route, with the routes that ask for a session marked."""
    from aws_lambda_powertools.event_handler.openapi.merge import OpenAPIMerge  # noqa: PLC0415  slow to load

    plan = template.load(template.parameters("postgresql://api@127.0.0.1:5432/none", ""), "")
    files = {function.name: function.file for function in plan.functions}
    merged = OpenAPIMerge(title="GoatedVIPs", version="1", openapi_version="3.1.0", on_conflict="error")
    for file in sorted({files[route.function_name] for route in plan.api.routes}):
        if file.exists() and any(line.startswith(f"{RESOLVER} =") for line in file.read_text().splitlines()):
            merged.add_file(file, RESOLVER)
    made: dict[str, Any] = json.loads(json.dumps(merged.get_openapi_schema()))
    made["servers"] = [{"url": "/"}]
    schemes = made.setdefault("components", {}).setdefault("securitySchemes", {})
    schemes["session"] = {"type": "http", "scheme": "bearer", "description": "The token of POST /v1/sessions."}
    for route in plan.api.routes:
        for method in route.methods:
            operation = made.get("paths", {}).get(route.path, {}).get(method.lower())
            if operation is not None and route.authorizer_object:
                operation["security"] = [{"session": []}]
    return made


def main(*, check: bool) -> None:
    """Write the document, or end with a sentence when the written one is not the handlers' any more."""
    text = json.dumps(document(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    shown = Path(DOCUMENT).relative_to(ROOT)
    if not check:
        DOCUMENT.write_text(text)
        print(f"Written: {shown}")  # noqa: T201
    elif not DOCUMENT.exists() or DOCUMENT.read_text() != text:
        sys.exit(f"{shown} is not what the handlers say: run `make openapi` and commit it.")


if __name__ == "__main__":
    main(check="--check" in sys.argv)
