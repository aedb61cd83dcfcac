"""Answering: sessions, turns, feedback and adapter versions behind the `npc.v1` gRPC contract.

The handlers are thin. `dialogue` runs one turn, `sessions` holds the open conversations,
`adapters` the live versions; `parts` and `server` build and run it all. `engine` generates, in a
process of its own.
"""
