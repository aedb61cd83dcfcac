"""How well a base sums up what players told: what is kept of it, and what is invented.

The talks of `talks.yaml` are held with the base, bare, and each is summed up as the server has it
done: the same prompt, tries and objections. A fact is kept when the words that show it are in the
summary. A summary invents when a word of content in it was said by nobody. Words alone are judged:
who told whom is not, so the figure flatters. The notes are the summaries, to be read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from benchmarks.desk.workspace import Workspace
from benchmarks.measures import Estimate
from benchmarks.parts import PartResult
from languages.reading import words
from languages.recognition import hollow_words
from npc_server.config import Config, PathsConfig
from npc_server.engine.protocol import Finish, Request, Sampling
from npc_server.engine.settings import EngineSettings
from npc_server.engine.vocab import Vocab
from npc_server.engine.worker import EngineConfig, LlamaEngine
from npc_server.memory import summaries
from npc_server.reply_sampling import sampling_of
from npc_server.sessions import Exchange, Take
from npc_server.turns import SENTENCE_RULE
from npc_server.vocabulary import chat_tokens, open_vocab
from personas.persona import Persona
from personas.persona_files import SAMPLE_CHARACTERS, load_characters
from personas.render import prompt

TALKS = Path(__file__).with_name("talks.yaml")
CONTEXT_TOKENS = 1024
_REPORTING = "said say says asked ask asks told tell tells"  # whoever sums up has to say these


@dataclass(frozen=True)
class Talk:
    """What a player says to whom, and what shows each of the facts in it."""

    character: str
    lines: tuple[str, ...]
    facts: tuple[tuple[str, ...], ...]  # one of the words of each


@dataclass(frozen=True)
class SummedUp:
    """A talk as it was held, and what is remembered of it; "" = nothing."""

    talk: Talk
    said: frozenset[str]  # words of either
    summary: str

    @property
    def kept(self) -> int:
        """How many facts the summary has."""
        own = set(words(self.summary))
        return sum(any(set(words(one)) <= own for one in fact) for fact in self.talk.facts)

    @property
    def invented(self) -> frozenset[str]:
        """Words of content that nobody said."""
        own = frozenset(words(self.summary)) - self.said - hollow_words("en")
        return own - frozenset(words(f"{summaries.BEGUN} {summaries.ASKED} {_REPORTING}"))


def read_talks() -> tuple[Talk, ...]:
    """The talks."""
    return tuple(
        Talk(character, tuple(lines), tuple(tuple(fact.split("|")) for fact in facts))
        for character, lines, facts in yaml.safe_load(TALKS.read_text("utf-8"))
    )


async def run(workspace: Workspace) -> PartResult:
    """Hold all talks side by side, and have each summed up."""
    cast = load_characters(SAMPLE_CHARACTERS)
    async with _voice(workspace) as voice:
        held = [
            voice.sum_up(talk, cast[talk.character], at) for at, talk in enumerate(read_talks())
        ]
        return result_of(await asyncio.gather(*held))


def result_of(found: Sequence[SummedUp]) -> PartResult:
    """The figures, and the summaries to be read."""
    made = [one for one in found if one.summary]
    facts = sum(len(one.talk.facts) for one in made)
    shares = {
        "summaries_made": len(made) / len(found),
        "summary_facts": sum(one.kept for one in made) / facts if facts else 0.0,
        "summaries_inventing": sum(bool(one.invented) for one in made) / len(made) if made else 0.0,
    }
    notes = [f"{one.summary} (nobody said: {', '.join(sorted(one.invented))})" for one in made]
    return PartResult({name: Estimate(one, one, one) for name, one in shares.items()}, notes=notes)


@dataclass(frozen=True)
class _Voice:
    engine: LlamaEngine
    vocab: Vocab

    async def sum_up(self, talk: Talk, persona: Persona, number: int) -> SummedUp:
        exchanges: list[Exchange] = []
        for at, line in enumerate(talk.lines):
            exchanges.append(await self._reply(persona, exchanges, line, 100 * number + at))
        texts = (text for one in exchanges for text in (one.player_text, one.kept.text))
        said = frozenset(word for text in texts for word in words(text))
        return SummedUp(talk, said, await self._summary(persona, exchanges))

    async def _reply(
        self, persona: Persona, before: Sequence[Exchange], line: str, seed: int
    ) -> Exchange:
        sampling, lines = sampling_of(persona, seed), summaries.lines_of(before)
        room = CONTEXT_TOKENS - sampling.max_tokens
        ids = prompt(persona, lines, line, self.vocab, room).ids
        exchange = Exchange(line)
        exchange.add(Take(f"turn-{seed}", await self._generate(f"reply-{seed}", ids, sampling)))
        return exchange

    async def _summary(self, persona: Persona, exchanges: Sequence[Exchange]) -> str:
        room = CONTEXT_TOKENS - summaries.MAX_TOKENS
        count, ids = summaries.asking(persona, exchanges, self.vocab, room)
        for seed in range(summaries.TRIES):
            name = f"{exchanges[0].kept.turn_id}-summary-{seed}"
            answer = await self._generate(name, ids, summaries.sampling(seed))
            text = f"{summaries.first_words(persona)}{answer}".strip()
            if not summaries.objection(text, exchanges[:count], persona):
                return text
        return ""

    async def _generate(self, name: str, ids: tuple[int, ...], sampling: Sampling) -> str:
        ending = SENTENCE_RULE if sampling.max_sentences else None
        request = replace(Request(name, ids, sampling=sampling), sentences=ending)
        async with aclosing(self.engine.generate(request)) as events:
            async for event in events:
                if isinstance(event, Finish):
                    return event.text
        raise RuntimeError(f"the engine left {name} without a finish")


@asynccontextmanager
async def _voice(workspace: Workspace) -> AsyncIterator[_Voice]:
    config = Config(paths=PathsConfig(cache=workspace.cache))
    model = config.model.model_copy(update={"base": str(workspace.base)})
    _, vocab = open_vocab(config.model_copy(update={"model": model}))
    settings = EngineSettings(context_tokens=CONTEXT_TOKENS)
    engine = LlamaEngine(EngineConfig.of(workspace.base, settings, chat_tokens(vocab)))
    await engine.start()
    try:
        yield _Voice(engine, vocab)
    finally:
        await engine.close()
