"""Reward heads: adapters that score replies as players would."""
