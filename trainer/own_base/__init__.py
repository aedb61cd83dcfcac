"""A base of the game's own, trained on what players taught all of its characters together."""
