"""What is found out about a candidate, for `trainer.gate` to judge."""
