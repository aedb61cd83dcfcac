"""Server reflection, under its present name and the one before it.

Tools ask `grpc.reflection.v1`, older ones `v1alpha`; the library that answers knows the latter
alone. Their messages are the same but for the package, so one servicer answers both, and the
description of v1, which a tool may ask for too, is made from that of v1alpha.
"""

from __future__ import annotations

from collections.abc import Sequence

import grpc
import grpc.aio
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer

V1ALPHA = "grpc.reflection.v1alpha"
V1 = "grpc.reflection.v1"
SERVICE_NAMES = tuple(f"{package}.ServerReflection" for package in (V1, V1ALPHA))


def enable_reflection(services: Sequence[str], server: grpc.aio.Server) -> None:
    """Let `server` describe the services with these full names, and reflection itself."""
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(_description_of_v1())  # again and again is fine: it is the same
    servicer = ReflectionServicer((*services, *SERVICE_NAMES), pool=pool)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    methods = {"ServerReflectionInfo": handler}
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(name, methods) for name in SERVICE_NAMES]
    )


def _description_of_v1() -> bytes:
    made = descriptor_pb2.FileDescriptorProto.FromString(reflection_pb2.DESCRIPTOR.serialized_pb)
    made.name = "grpc/reflection/v1/reflection.proto"
    made.package = V1
    for message in made.message_type:
        for field in (one for one in message.field if one.type_name):
            field.type_name = field.type_name.replace(f".{V1ALPHA}.", f".{V1}.")
    for method in made.service[0].method:
        method.input_type = method.input_type.replace(f".{V1ALPHA}.", f".{V1}.")
        method.output_type = method.output_type.replace(f".{V1ALPHA}.", f".{V1}.")
    return made.SerializeToString()
