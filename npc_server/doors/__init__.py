"""Doors for clients that speak HTTP: Connect and gRPC-Web on one port, over the gRPC handlers."""
