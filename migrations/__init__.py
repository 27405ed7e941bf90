"""The schema's history: dated steps that only go forward, and what applies them."""
