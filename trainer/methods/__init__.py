"""The ways to teach a character: a module each with `Config` and `run`, and what they learn beside.

`teachings` is the table of all of them.
"""
