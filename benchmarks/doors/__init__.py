"""What the doors cost: HTTP beside gRPC, on one server."""
