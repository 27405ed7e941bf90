"""POST /v1/admin/codes: staff issue a bonus code, named or generated, or a batch of generated ones."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.codes import issue
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.codes import IssuedBatch, IssuedCode, IssueRequest

api = HttpApi("staff", key_required=True)


@api.post("/v1/admin/codes", status_code=201)
def issue_codes(body: IssueRequest) -> IssuedCode | IssuedBatch:
    """With `count`, a batch is issued and its id returned; the codes are then listed by `batch_id`.

    A code whose name differs from an existing one only in case, spaces or dashes is refused with `code_taken`.
    """
    terms = issue.Terms(**body.model_dump(exclude={"count"}))
    with transaction() as connection:
        if body.count is None:
            return IssuedCode.model_validate(issue.issue(connection, api.caller, terms, now=utc_now()))
        batch = issue.issue_batch(connection, api.caller, terms, body.count, now=utc_now())
        return IssuedBatch.model_validate(batch)


handler = lambda_handler(api)
