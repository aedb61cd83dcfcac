"""Tools look around by server reflection, under its present name and its former one."""

from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest
from google.protobuf import descriptor_pb2
from grpc_reflection.v1alpha import reflection_pb2

from tests.support.scripted_server import Stage, StageMaker

pytestmark = pytest.mark.service


async def answer(
    made: Stage, package: str, **asked: str
) -> reflection_pb2.ServerReflectionResponse:
    """The first answer to a question."""
    async with grpc.aio.insecure_channel(made.client.address) as channel:
        ask = channel.stream_stream(
            f"/{package}.ServerReflection/ServerReflectionInfo",
            reflection_pb2.ServerReflectionRequest.SerializeToString,
            reflection_pb2.ServerReflectionResponse.FromString,
        )

        async def questions() -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
            yield reflection_pb2.ServerReflectionRequest(**asked)

        answers = [one async for one in ask(questions())]
    return answers[0]


@pytest.mark.parametrize("package", ["grpc.reflection.v1", "grpc.reflection.v1alpha"])
async def test_all_services_are_listed(stage: StageMaker, package: str) -> None:
    listed = await answer(await stage(), package, list_services="")
    names = {service.name for service in listed.list_services_response.service}
    assert names == {
        "npc.v1.Dialogue",
        "npc.v1.Feedback",
        "npc.v1.Adapters",
        "npc.v1.Memory",
        "npc.v1.Scenes",
        "npc.v1.Personas",
        "npc.v1.Keys",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }


@pytest.mark.parametrize("package", ["grpc.reflection.v1", "grpc.reflection.v1alpha"])
async def test_every_listed_service_is_described(stage: StageMaker, package: str) -> None:
    made = await stage()
    listed = await answer(made, package, list_services="")
    for service in listed.list_services_response.service:
        found = await answer(made, package, file_containing_symbol=service.name)
        files = found.file_descriptor_response.file_descriptor_proto
        described = [descriptor_pb2.FileDescriptorProto.FromString(file) for file in files]
        names = {f"{one.package}.{part.name}" for one in described for part in one.service}
        assert service.name in names
