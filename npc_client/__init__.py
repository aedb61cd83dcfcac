"""The player's side: the gRPC client, a chat in the terminal, simulated players, the demo.

It talks to the server through the contract alone, as a game would.
"""
