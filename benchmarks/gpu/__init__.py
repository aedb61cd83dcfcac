"""What training takes on a CUDA GPU, in ten minutes: one command, nothing to fetch."""

# Before any model library: the switches that a night sets, for both sides alike.
import trainer  # noqa: F401  # imported for what it sets
