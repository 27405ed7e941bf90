"""GET /v1/health: whether the database answers, and which schema revision it has."""

from goatedvips.db import reading
from goatedvips.domain.operations import health
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.operations import Health, SchemaRevision

api = HttpApi("anyone")


@api.get("/v1/health")
def get_health() -> Health:
    """It is 503 if the database is unreachable, read-only or has another schema revision than the code expects."""
    with reading() as connection:
        return Health(schema=SchemaRevision.model_validate(health.check(connection)))


handler = lambda_handler(api)
