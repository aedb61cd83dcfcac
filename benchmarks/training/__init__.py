"""What training costs beside TRL as it comes, and beside those who play meanwhile."""

# Before any model library: it keeps their waiting threads from spinning, for both sides alike.
import trainer  # noqa: F401  # imported for what it sets
