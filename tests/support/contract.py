"""The contract as its descriptors have it, and calls by path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pool import Default
from google.protobuf.message_factory import GetMessageClass

from npc_server.contract import NAMES

_FOUND = [method for service in NAMES for method in Default().FindServiceByName(service).methods]

#: Every call of every service, by its path.
METHODS: Mapping[str, MethodDescriptor] = {
    f"/{method.containing_service.full_name}/{method.name}": method for method in _FOUND
}


@dataclass(frozen=True)
class Ended:
    """How a call ended."""

    code: grpc.StatusCode
    message: str = ""


def message_class(method: str) -> Any:
    """The class of a call's requests."""
    return GetMessageClass(METHODS[method].input_type)


def text_fields(descriptor: Descriptor, path: str = "") -> Iterator[tuple[str, FieldDescriptor]]:
    """Every field of text in a message, and in those that it holds, by its path."""
    for field in descriptor.fields:
        if field.type == FieldDescriptor.TYPE_STRING:
            yield f"{path}{field.name}", field
        elif field.message_type is not None:
            yield from text_fields(field.message_type, f"{path}{field.name}.")


async def call(channel: grpc.aio.Channel, method: str, key: str, request: Any) -> Ended:
    """Make a call, of a client stream with one message, and read whatever comes to its end."""
    described, metadata = METHODS[method], (("authorization", f"Bearer {key}"),)
    ways = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
    }
    way = ways[described.client_streaming, described.server_streaming]
    answers = GetMessageClass(described.output_type)
    multi: Any = way(
        method,
        request_serializer=message_class(method).SerializeToString,
        response_deserializer=answers.FromString,
    )
    begun = multi(iter([request]) if described.client_streaming else request, metadata=metadata)
    try:
        if described.server_streaming:
            async for _ in begun:
                pass
        else:
            return _outcome(await begun)
    except grpc.aio.AioRpcError as error:
        return Ended(error.code(), str(error.details()))
    return Ended(grpc.StatusCode.OK)


def _outcome(answer: Any) -> Ended:
    """Of an answer, which tells of a batch's only event by itself."""
    for status in getattr(answer, "statuses", ()):
        code = next(one for one in grpc.StatusCode if one.value[0] == status.code)
        return Ended(code, status.message)
    return Ended(grpc.StatusCode.OK)
