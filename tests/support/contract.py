"""The contract as its descriptors have it."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import Default

from npc_server.contract import NAMES

_FOUND = [method for service in NAMES for method in Default().FindServiceByName(service).methods]

#: Every call of every service, by its path.
METHODS: Mapping[str, MethodDescriptor] = {
    f"/{method.containing_service.full_name}/{method.name}": method for method in _FOUND
}
