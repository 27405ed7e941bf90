"""POST /v1/admin/codes: staff issue a bonus code, named or generated."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.codes import issue
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.codes import IssuedCode, IssueRequest

api = HttpApi("staff", key_required=True)


@api.post("/v1/admin/codes", status_code=201)
def issue_codes(body: IssueRequest) -> IssuedCode:
    """A code whose name differs from an existing one only in case, spaces or dashes is refused with `code_taken`."""
    with transaction() as connection:
        issued = issue.issue(connection, api.caller, issue.Terms(**body.model_dump()), now=utc_now())
    return IssuedCode.model_validate(issued)


handler = lambda_handler(api)
