"""Of a hundred facts told in one session, how many are in the prompt when they are asked for.

A player tells a character the facts of `told_facts.yaml`, one a line, and says goodbye. In a second
session they ask for each. A fact is recalled when its word stands in the prompt of that question,
within the budget for memory. The server is a real one with the vocabulary of the embedded base, the
questions go over gRPC, and the prompts are those that were recorded; only the replies are scripted,
since none of this depends on them. The questions of the second session are no statements, so
nothing is learned from them.

`memory_recall_first` counts a fact only where it is among the first three notes beside the name: a
budget of 400 tokens holds a fourth of all that was told whatever is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measures import Estimate
from benchmarks.parts import PartResult, Workspace
from feedback_store.privacy.pseudonyms import Pseudonyms
from feedback_store.records import Turn
from feedback_store.store import Store
from npc_client.client import Client
from npc_server.config import Config, MemorySection, PathsConfig, ServerSection
from npc_server.engine.fake import FakeEngine
from npc_server.keys.key_book import KeyBook
from npc_server.keys.player_tokens import PlayerTokens
from npc_server.parts import Parts
from npc_server.server import running
from npc_server.turns import Model
from npc_server.vocabulary import open_vocab
from personas.adapter_repo import AdapterRepo
from personas.persona_files import SAMPLE_CHARACTERS, load_characters

FACTS = Path(__file__).with_name("told_facts.yaml")
BUDGET_TOKENS = 400
CONTEXT_TOKENS = 4096
_FIRST = 3  # notes, beside the name


@dataclass(frozen=True)
class Told:
    """A fact, the question that asks for it, and the word that shows it."""

    said: str
    asked: str
    word: str


@dataclass(frozen=True)
class Recall:
    """What came to mind."""

    facts: int
    memory_recall: float  # share of the facts in the prompt
    memory_recall_first: float  # share among the first notes
    tokens_per_question: float  # of notes, mean
    most_tokens: int
    missed: tuple[str, ...]  # questions


def read_facts() -> tuple[Told, ...]:
    """The facts in the order they are told."""
    return tuple(Told(*row) for row in yaml.safe_load(FACTS.read_text("utf-8")))


async def measure(scratch: Path, told: Sequence[Told]) -> Recall:
    """Tell the facts, come back, and ask for each."""
    paths = PathsConfig(data=scratch)
    config = Config(
        paths=paths,
        server=ServerSection(port=0),
        memory=MemorySection(prompt_tokens=BUDGET_TOKENS),
    )
    with Store.open(paths.store) as store:
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        async with (
            running(_parts(config, store), config, port.set_result),
            Client(f"127.0.0.1:{await port}") as client,
        ):
            await _say_all(client, [one.said for one in told])
            turn_ids = await _say_all(client, [one.asked for one in told])
        turns = [turn for turn_id in turn_ids if (turn := store.turn(turn_id))]
    return _recall(told, turns)


async def run(workspace: Workspace[Any]) -> PartResult:
    """The same as a part of the benchmark of the desk."""
    found = await measure(workspace.scratch, read_facts())
    figures = {
        name: Estimate(value, value, value)
        for name, value in asdict(found).items()
        if isinstance(value, float)
    }
    return PartResult(figures, notes=[f"not in the prompt: {asked}" for asked in found.missed])


def _parts(config: Config, store: Store) -> Parts:
    _, vocab = open_vocab(config)
    engine = FakeEngine(lambda _: "Aye.", context_tokens=CONTEXT_TOKENS)
    repo, heads = AdapterRepo(config.paths.adapters), AdapterRepo(config.paths.heads)
    cast, model = load_characters(SAMPLE_CHARACTERS), Model(engine, vocab, "0" * 64)
    pseudonyms, keys = Pseudonyms(b"k" * 32), KeyBook(config.paths.keys)
    tokens = PlayerTokens(config.paths.signing_keys)
    return Parts(cast, model, store, repo, heads, pseudonyms, keys, tokens)


async def _say_all(client: Client, lines: Sequence[str]) -> list[str]:
    session = await client.start_session("mira", "player", remember=True)
    turn_ids = [(await client.say(session.session_id, line)).turn_id for line in lines]
    await client.end_session(session.session_id)
    return turn_ids


def _recall(told: Sequence[Told], turns: Sequence[Turn]) -> Recall:
    prompts = list(zip(told, turns, strict=True))
    missed = tuple(one.asked for one, turn in prompts if not _has(turn, one.word))
    first = [one for one, turn in prompts if _has(turn, one.word, _FIRST)]
    tokens = [_note_tokens(turn) for turn in turns]
    return Recall(
        facts=len(told),
        memory_recall=1 - len(missed) / len(told),
        memory_recall_first=len(first) / len(told),
        tokens_per_question=sum(tokens) / len(tokens),
        most_tokens=max(tokens),
        missed=missed,
    )


def _has(turn: Turn, word: str, among: int | None = None) -> bool:
    """Whether the prompt's notes have a word, or the first so many beside the name do."""
    texts = [str(note["text"]) for note in _kept(turn)]
    name = [text for text in texts if text.startswith("You are talking to")]
    others = [text for text in texts if text not in name][:among]
    return any(word.lower() in text.lower() for text in (*name, *others))


def _kept(turn: Turn) -> list[Any]:
    notes: Any = turn.annotations.get("notes", {})
    return list(notes.get("kept", ()))


def _note_tokens(turn: Turn) -> int:
    notes: Any = turn.annotations.get("notes", {})
    return int(notes.get("tokens", 0))
