"""Ask a live version what no player asked: held-out questions and the persona's probes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from benchmarks.errors import NightBrokeError
from benchmarks.learning.installation import CHARACTER, Extent, Installation, Workspace
from benchmarks.learning.judgement import VersionReplies
from benchmarks.learning.perplexity import perplexity
from npc_client.client import Client
from npc_client.players import lines_of
from npc_server.base_models import own_process

STREAMS = 8  # questions at once: as many as the engine answers in one batch


def questions(extent: Extent) -> tuple[str, ...]:
    """The questions that judges ask."""
    asked = (*lines_of(CHARACTER, "questions"), *lines_of(CHARACTER, "more_questions"))
    return asked[: extent.questions]


async def collect_replies(
    installation: Installation, client: Client, workspace: Workspace, version: str
) -> VersionReplies:
    """Ask the live version everything; "" is the bare base.

    Raises NightBrokeError when another version answers.
    """
    extent, probes = workspace.extent, [probe.ask for probe in workspace.persona.probes]
    workspace.tell("asking questions", 0, 3)
    replies = await ask(client, version, questions(extent), extent.takes)
    workspace.tell("asking probes", 1, 3)
    probe_replies = await ask(client, version, probes, extent.probe_takes)
    workspace.tell("reading a general text", 2, 3)
    folder = installation.adapters.path(CHARACTER, version) if version else None
    nats = await asyncio.to_thread(
        own_process.run, perplexity, lambda *_: None, workspace.base, folder
    )
    return VersionReplies(version, replies, probe_replies, nats)


async def ask(
    client: Client, version: str, lines: Sequence[str], takes: int
) -> tuple[tuple[str, ...], ...]:
    """Say every line under the seeds 0 to takes - 1, each as the first of a session."""
    gate = asyncio.Semaphore(STREAMS)

    async def reply(line: str, seed: int) -> str:
        async with gate:
            session = await client.start_session(CHARACTER, "judge")
            said = await client.say(session.session_id, line, seed=seed)
            await client.end_session(session.session_id)
        if said.adapter_version != version:
            raise NightBrokeError(
                f"{said.adapter_version or 'the base'} answered in place of {version or 'the base'}"
            )
        return said.text

    async def all_takes(line: str) -> tuple[str, ...]:
        return tuple(await asyncio.gather(*(reply(line, seed) for seed in range(takes))))

    return tuple(await asyncio.gather(*(all_takes(line) for line in lines)))
