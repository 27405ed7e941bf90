"""The tests, by what they need: nothing, a database, many at once, a template, a browser."""
