"""`npc feedback`: what an operator asks of the feedback store, and does to it."""
