"""The ways to teach a character: a module each with `Config` and `run`, and what they learn beside.

`table` has a row for each.
"""
