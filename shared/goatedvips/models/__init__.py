"""The tables, one module for each domain. A handler imports only the modules it needs, for a short cold start."""
