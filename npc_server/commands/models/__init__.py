"""The `npc model` commands: bases by name, fetched, checked, chosen among, and made."""
