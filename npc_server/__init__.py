"""Answering: sessions, turns, feedback and adapter versions behind the `npc.v1` gRPC contract.

The handlers are thin. `dialogue` runs one turn, `sessions` knows who talks to whom, `adapters`
knows which version is live and who still holds an older one; `engine` generates, in a process of
its own.
"""
