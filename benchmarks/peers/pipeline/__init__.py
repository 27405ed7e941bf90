"""A handler by hand: one statement in a pipeline of psycopg, no framework."""
