"""One character's night: what it is begun on, its stages, its records, and how it goes on."""
