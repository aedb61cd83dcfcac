"""Measures a candidate, for `trainer.gate` to judge."""
