"""What designers wait for: a saved file, a large cast, lore, memory, actions."""
