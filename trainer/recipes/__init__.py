"""How a character is trained: the tables of `npc.toml` as settings, by method and by character."""
