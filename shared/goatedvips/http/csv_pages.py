"""Lists as CSV (RFC 4180), in pages that the Link header connects, for spreadsheets."""

import csv
import io
import unicodedata
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from pydantic import BaseModel

from goatedvips.http.bodies import JSON
from goatedvips.validators.fields import is_visible

CSV_ROWS = 20_000
"""How many rows a page has at most: with 200 bytes a row it stays below the 6 MB that Lambda can answer."""
_FORMULA = {"=", "+", "-", "@"}


def json_page[P: BaseModel](page: P) -> Response[P | str]:
    """Return a page as JSON, for a route that can also return it as CSV."""
    return Response(200, JSON, page)


def csv_page[Item: BaseModel](
    api: APIGatewayHttpResolver, model: type[Item], items: Sequence[Item], next_cursor: str | None
) -> Response[Any]:
    """Return a page as CSV with a header line; `Link: <…>; rel="next"` leads to the page after it (RFC 8288).

    Parameters
    ----------
    api: the resolver of the present request, whose path and query the link repeats.
    model: its fields are the columns. Null is an empty cell.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(model.model_fields)
    writer.writerows(
        [_cell(getattr(item, name), value) for name, value in item.model_dump(mode="json").items()] for item in items
    )
    headers: dict[str, str | list[str]] = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{api.current_event.raw_path.rpartition("/")[2]}.csv"',
    }
    if next_cursor is not None:
        query = urlencode(api.current_event.query_string_parameters | {"cursor": next_cursor})
        headers["Link"] = f'<{api.current_event.raw_path}?{query}>; rel="next"'
    return Response(200, "text/csv; charset=utf-8", file.getvalue(), headers=headers)


def _cell(value: object, written: object) -> object:
    """Return a cell so that no spreadsheet takes text for a formula (OWASP, "CSV injection"); amounts stay numbers.

    What decides is the first visible character, because programs drop spaces, controls and zero-width characters before
    it. Full-width signs count as well: NFKC turns them into ordinary ones.
    """
    if isinstance(value, str) and unicodedata.normalize("NFKC", next(filter(is_visible, value), "")) in _FORMULA:
        return f"'{value}"
    return written
