"""The platform on a developer's machine, without Docker and without an AWS account."""

import database as _  # noqa: F401 - it puts the layer on the path
