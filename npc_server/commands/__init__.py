"""The `npc` command line: a module per command or group of commands, and one table of them all.

A new command is a module with an `app` and a row of the table in `main`. The module is imported
when its command is called, helps or completes an argument, so what only the work needs is imported
by the function that does it.

This floor stands above the server: it starts it, calls a running one as a client does, and starts
the trainer in a process of its own.
"""
