"""Measurements of the server against its peers and against its own ceiling."""
