"""The schema and how databases come to have it."""
