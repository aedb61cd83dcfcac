"""Training methods, one module per method with a `Config` and a `run`, and the rows they add.

`table` has a row for each.
"""
