"""One character's night: what a run is begun on, its stages, how it ends and how it is resumed."""
