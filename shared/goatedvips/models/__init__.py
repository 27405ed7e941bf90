"""The tables, one file per domain. Nothing is imported here: a handler imports its domain alone, for a short start."""
