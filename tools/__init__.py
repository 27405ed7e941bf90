"""What a change or a deployed stack needs: checks, the OpenAPI document, the first member of staff."""

import database as _  # noqa: F401 - it puts the layer on the path
