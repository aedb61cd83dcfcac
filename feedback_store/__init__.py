"""What was said and what players thought of it: the records, the one database that keeps them, and
the pure selection that turns them into training rows. A turn carries its whole provenance and an
event only points to a turn. This package imports none of the others."""
