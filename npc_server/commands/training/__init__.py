"""`npc train`, `npc nightly`, `npc runs` and `npc model train`.

Each starts the trainer in a process of its own (`trainer_process`); it owns the records of runs and
prints them, too.
"""
