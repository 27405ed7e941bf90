"""`make db-check`, `db-adopt` and `db-upgrade` on databases of every kind."""
