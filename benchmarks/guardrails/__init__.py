"""Whether the guard keeps attacks off, what it takes for one and is none, and what that costs."""
