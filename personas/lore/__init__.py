"""Lore: what characters are told when a conversation touches it.

entries.py is what an author writes, shelf.py a file of entries made ready to be searched (by key,
by patterns.py, by embeddings.py), timing.py what was told when, and firing.py decides. All of it is
pure, and the same for the server, for `npc persona lore-test` and for the gate.
"""
