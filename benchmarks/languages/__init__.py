"""How well code finds what it looks for in a reply, by language."""
