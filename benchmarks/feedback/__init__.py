"""The feedback benchmark: taking events in, and what a store of a million turns costs."""
