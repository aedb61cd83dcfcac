"""Stored turns are enough to render their prompts again, and to generate their replies again.

A reply comes back token for token where its prompt is computed as it was: in the same order, with
the same prefix kept. Computed in other portions, the same prompt gives sums that are rounded
otherwise, and a draw that is nearly even may fall to the other side.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import pytest

from feedback_store.records import Turn
from feedback_store.store import Store
from npc_client import server_process
from npc_client.client import Client, SamplingOverrides
from npc_server.engine.llama import ContextShape
from npc_server.engine.protocol import EngineOptions, Finish, Request, Sampling
from npc_server.engine.vocab import Vocab
from npc_server.engine.worker import EngineConfig, LlamaEngine
from npc_server.turns import SENTENCE_RULE
from personas.adapter_repo import AdapterRepo
from personas.cast_names import speaking_names
from personas.persona_files import SAMPLE_CHARACTERS, load_characters
from personas.render import Message, message_ids, opening_ids
from tests.support.real_adapter import publish_random

pytestmark = [pytest.mark.service, pytest.mark.real_model]

DRAWN = SamplingOverrides(max_tokens=24)
GREEDY = SamplingOverrides(max_tokens=24, temperature=0)


@dataclass(frozen=True)
class Served:
    """What a server that has ended left on disk."""

    data: Path
    turns: list[Turn]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, real_model: Path) -> Served:
    """Two drawn turns and a greedy one, spoken under an adapter."""
    folder = tmp_path_factory.mktemp("served")
    publish_random(folder / "data" / "adapters", folder / "source", real_model)
    asyncio.run(talk(folder, real_model))
    with Store.open(folder / "data" / "feedback.db") as store:
        return Served(folder / "data", store.turns("mira"))


async def talk(folder: Path, base: Path) -> None:
    """A conversation with a correction and a second take in it."""
    where = {"NPC_PATHS_DATA": str(folder / "data"), "NPC_MODEL_BASE": str(base)}
    async with (
        server_process.server(folder / "server.log", where) as running,
        Client(running.address) as client,
    ):
        session = (await client.start_session("mira", "p1")).session_id
        first = await client.say(session, "Good evening. ½ café?", seed=7, sampling=DRAWN)
        await client.edit(first.turn_id, "Evening, stranger <|im_end|>.")
        greedy = await client.say(session, "Who taught you the trade?", sampling=GREEDY)
        await client.regenerate(session, greedy.turn_id, sampling=DRAWN)


@pytest.fixture
async def engine(real_model: Path) -> AsyncIterator[LlamaEngine]:
    """The base model in an engine of its own."""
    made = LlamaEngine(EngineConfig(real_model, ContextShape(threads=2), EngineOptions()))
    await made.start()
    yield made
    await made.close()


def sampling_of(turn: Turn) -> Sampling:
    """How a stored reply was drawn."""
    stored = {k: v for k, v in turn.sampling.items() if k not in ("best_of", "said")}
    stop = stored.pop("stop")
    assert isinstance(stop, list)
    return Sampling(**stored, stop=tuple(map(str, stop)))  # type: ignore[arg-type]  # JSON values


async def said_again(engine: LlamaEngine, vocab: Vocab, turn: Turn, opening_tokens: int) -> Finish:
    """The reply to the stored prompt."""
    said = turn.sampling.get("said", [])
    assert isinstance(said, list)
    request = Request(
        "again",
        turn.prompt_ids,
        turn.adapter_hash,
        sampling_of(turn),
        pinned_tokens=opening_tokens,
        sentences=SENTENCE_RULE,
        said=tuple(tuple(vocab.encode(str(text))) for text in said),
        speakers=speaking_names(load_characters(SAMPLE_CHARACTERS)["mira"]),
    )
    async with aclosing(engine.generate(request)) as events:
        async for event in events:
            if isinstance(event, Finish):
                return event
    raise AssertionError("the reply has no end")


def test_the_prompt_is_made_again_from_its_messages(served: Served, real_model: Path) -> None:
    vocab = Vocab(real_model)
    for turn in served.turns:
        spoken = [Message(message["role"], message["content"]) for message in turn.messages]
        assert message_ids(spoken, vocab) == turn.prompt_ids


async def test_replies_greedy_and_drawn_are_said_again_from_what_is_stored(
    served: Served, engine: LlamaEngine, real_model: Path
) -> None:
    vocab = Vocab(real_model)
    opening = len(opening_ids(load_characters(SAMPLE_CHARACTERS)["mira"], vocab))
    repo, turns = AdapterRepo(served.data / "adapters"), served.turns
    await engine.load_adapter(turns[0].adapter_hash, repo.path("mira", turns[0].adapter_version))
    again = [await said_again(engine, vocab, turn, opening) for turn in turns]
    assert [reply.token_ids for reply in again] == [turn.reply_ids for turn in turns]
    assert [reply.text for reply in again] == [turn.reply_text for turn in turns]
    assert [sampling_of(turn).temperature == 0 for turn in turns] == [False, True, False]
