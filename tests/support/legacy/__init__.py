"""The legacy application: its schema, its packages from npm, its rows, and its queries."""
