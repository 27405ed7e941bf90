"""What is measured, and against what."""

import database  # noqa: F401 - it puts the layer on the path
