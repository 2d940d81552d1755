"""A public-domain portrait, and the training photos that are composed from it."""
