"""POST /v1/codes/claim: a member claims a bonus code, at most once."""

from goatedvips import light_db
from goatedvips.clock import utc_now
from goatedvips.domain.codes import claims
from goatedvips.http import HttpApi, Response, created_once, lambda_handler
from goatedvips.validators.codes import ClaimRequest, CodeClaim

api = HttpApi("member", database=light_db)


@api.post("/v1/codes/claim", status_code=201)
def claim_code(body: ClaimRequest) -> Response[CodeClaim]:
    """Upper and lower case, spaces and dashes in the code make no difference.

    A refusal does not say why the code cannot be claimed.
    """
    with light_db.transaction() as connection:
        claim = claims.claim(connection, api.caller, body.code, client_network=api.client_network, now=utc_now())
    return created_once(CodeClaim.model_validate(claim), created=claim.created)


handler = lambda_handler(api)
