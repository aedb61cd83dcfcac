"""The `npc` command line: a module for each group of commands, put together in `main`.

It stands above the server: it starts it, calls a running one as a client does, and starts the
trainer in a process of its own.
"""
