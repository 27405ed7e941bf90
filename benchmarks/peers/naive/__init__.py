"""Handlers with Powertools and the ORM, as their documentation writes them."""
