"""The `npc` command line: a module per command or group of commands, in one table in `main`.

It stands above the server: it starts it, calls a running one as a client does, and starts the
trainer in a process of its own. A module is imported when its command is called, helps or completes
an argument, so what only the work needs is imported by the function that does it.
"""
