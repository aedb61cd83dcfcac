"""What training costs beside stock TRL, and beside dialogues."""

# Before any model library: it keeps their waiting threads from spinning, for both sides alike.
import trainer  # noqa: F401  # imported for what it sets
