"""Conversions between protobuf messages and our dataclasses, a module for each service.

Malformed requests are refused here, so that nothing behind it sees a message.
"""
