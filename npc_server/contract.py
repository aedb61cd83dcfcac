"""The services of npc.v1, each with who answers for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor

from npc.v1 import (
    adapters_pb2,
    adapters_pb2_grpc,
    dialogue_pb2,
    dialogue_pb2_grpc,
    feedback_pb2,
    feedback_pb2_grpc,
    keys_pb2,
    keys_pb2_grpc,
    memory_pb2,
    memory_pb2_grpc,
    personas_pb2,
    personas_pb2_grpc,
    scenes_pb2,
    scenes_pb2_grpc,
)

#: Every service, and what puts a servicer of it on a gRPC server.
_SERVICES: tuple[tuple[ServiceDescriptor, Callable[[Any, grpc.aio.Server], None]], ...] = (
    (
        dialogue_pb2.DESCRIPTOR.services_by_name["Dialogue"],
        dialogue_pb2_grpc.add_DialogueServicer_to_server,
    ),
    (
        feedback_pb2.DESCRIPTOR.services_by_name["Feedback"],
        feedback_pb2_grpc.add_FeedbackServicer_to_server,
    ),
    (
        adapters_pb2.DESCRIPTOR.services_by_name["Adapters"],
        adapters_pb2_grpc.add_AdaptersServicer_to_server,
    ),
    (
        memory_pb2.DESCRIPTOR.services_by_name["Memory"],
        memory_pb2_grpc.add_MemoryServicer_to_server,
    ),
    (
        scenes_pb2.DESCRIPTOR.services_by_name["Scenes"],
        scenes_pb2_grpc.add_ScenesServicer_to_server,
    ),
    (
        personas_pb2.DESCRIPTOR.services_by_name["Personas"],
        personas_pb2_grpc.add_PersonasServicer_to_server,
    ),
    (
        keys_pb2.DESCRIPTOR.services_by_name["Keys"],
        keys_pb2_grpc.add_KeysServicer_to_server,
    ),
)
NAMES = tuple(descriptor.full_name for descriptor, _ in _SERVICES)


@dataclass(frozen=True)
class Service:
    """A service and who answers for it."""

    descriptor: ServiceDescriptor
    servicer: Any  # has a method for each of the descriptor's
    add_to: Callable[[Any, grpc.aio.Server], None]

    def put_on(self, server: grpc.aio.Server) -> None:
        """Have the gRPC server ask the servicer."""
        self.add_to(self.servicer, server)


def services_of(servicers: Iterable[Any]) -> tuple[Service, ...]:
    """The services, of a servicer for each of `NAMES` in its order."""
    return tuple(
        Service(descriptor, servicer, add)
        for (descriptor, add), servicer in zip(_SERVICES, servicers, strict=True)
    )
