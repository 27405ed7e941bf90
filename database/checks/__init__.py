"""What `db-check` looks for in a database, each kind of fault in a module of its own."""
