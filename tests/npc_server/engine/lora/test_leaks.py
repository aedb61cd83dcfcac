"""Nobody speaks with another's voice: eight characters on the real model, each with a marker word.

Greedy sessions in a crowd are compared with the same sessions run alone. Other batch shapes round
differently, in the stock library as well, and a quantized base amplifies that: its size is measured
here, and where a crowd's text parts from the one alone, the two tokens must be nearer to each
other than that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from npc_server.config import PathsConfig
from npc_server.engine.assembly import assemble
from npc_server.engine.core import EngineCore, Event
from npc_server.engine.llama import ContextShape
from npc_server.engine.protocol import Batching, EngineOptions, Finish, Request, Sampling
from npc_server.engine.running_turn import RunningTurn
from npc_server.engine.vocab import Vocab
from npc_server.engine.worker import EngineConfig, LlamaEngine
from tests.support import marked_voices
from tests.support.marked_voices import LINES, MARKERS

pytestmark = [pytest.mark.real_model, pytest.mark.slow]

GREEDY = Sampling(temperature=0, repeat_penalty=1.3, max_tokens=16)
CHARACTERS = range(len(MARKERS))

Logits = npt.NDArray[np.float32]


@dataclass
class Said:
    """A reply, and the logits that each of its tokens was chosen from."""

    token_ids: tuple[int, ...] = ()
    text: str = ""
    logits: list[Logits] = field(default_factory=list)


class Stage:
    """An engine core that keeps the logits of every token it draws."""

    def __init__(
        self,
        model: Path,
        voices: Sequence[Path],
        sequences: int = 8,
        batching: Batching = Batching.MIXED,
        batch_tokens: int = 256,
    ) -> None:
        shape = ContextShape(sequences, context_tokens=256, batch_tokens=batch_tokens, threads=2)
        options = EngineOptions(batching=batching)
        self.core: EngineCore = assemble(model, shape, options, self._hear)
        self.vocab = Vocab(model)
        self.voices = voices
        self.said: dict[str, Said] = {}
        self._names = count()
        for character, folder in enumerate(voices):
            self.core.keep_adapter(self.core.read_adapter(f"voice-{character}", folder))
        self._record_logits()

    def _record_logits(self) -> None:
        draw = self.core._draw

        def record_and_draw(turn: RunningTurn, row: int) -> None:
            logits = self.core._llama.logits(row).copy()
            self.said[turn.request.request_id].logits.append(logits)
            draw(turn, row)

        self.core._draw = record_and_draw  # type: ignore[method-assign]

    def _hear(self, request_id: str, event: Event) -> None:
        if isinstance(event, Finish):
            self.said[request_id].token_ids = event.token_ids
            self.said[request_id].text = event.text
        assert not isinstance(event, Exception), event

    def ask(self, character: int, *lines: str, adapter: str = "") -> Said:
        """Queue a turn; its reply is filled in by the steps."""
        name = f"{character}-{next(self._names)}"
        prompt = marked_voices.chat(self.vocab, *lines)
        self.said[name] = Said()
        adapter = adapter or f"voice-{character}"
        self.core.submit(Request(name, prompt, adapter, sampling=GREEDY))
        return self.said[name]

    def run(self, steps: int | None = None) -> None:
        """Step until all is said, or `steps` times."""
        while self.core.busy and steps != 0:
            self.core.step()
            steps = None if steps is None else steps - 1

    def alone(self, character: int, *lines: str) -> Said:
        """A turn with nobody beside it."""
        said = self.ask(character, *lines)
        self.run()
        return said


@pytest.fixture(scope="module")
def voices(real_model: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("voices")
    return marked_voices.write(real_model, PathsConfig().cache, folder)


@pytest.fixture(scope="module")
def soloists(real_model: Path, voices: list[Path]) -> list[Said]:
    """First replies of all characters, each alone in a fresh engine."""
    stage = Stage(real_model, voices, sequences=1)
    return [stage.alone(character, line_of(character)) for character in CHARACTERS]


@pytest.fixture(scope="module")
def noise(real_model: Path, voices: list[Path], soloists: list[Said]) -> float:
    """Most |Δlogit| of the stock library for other batch shapes.

    These are prompts read token by token, as replies are made, and rows beside seven others of the
    same adapter.
    """
    crowded = Stage(real_model, voices, batching=Batching.GROUPED)
    crowd = [crowded.ask(0, line_of(0)) for _ in CHARACTERS]
    crowded.run()
    portioned = Stage(real_model, voices, 1, Batching.GROUPED, batch_tokens=1)
    found = [distance(said, soloists[0]) for said in crowd]
    found += [distance(portioned.alone(c, line_of(c)), soloists[c]) for c in CHARACTERS]
    return max(found)


@pytest.fixture
def stage(real_model: Path, voices: list[Path]) -> Iterator[Stage]:
    stage = Stage(real_model, voices)
    assert stage.core.stats().batching is Batching.MIXED
    yield stage
    stage.core.close()


def line_of(character: int) -> str:
    return LINES[character % len(LINES)]


def distance(said: Said, other: Said) -> float:
    """Most |Δlogit| over the tokens up to where the texts part."""
    same = parting(said, other)
    pairs = zip(said.logits[: same + 1], other.logits[: same + 1], strict=False)
    return max(float(np.abs(one - two).max()) for one, two in pairs)


def parting(said: Said, other: Said) -> int:
    """Index of the first differing token, or the length of the shorter reply."""
    tokens = zip(said.token_ids, other.token_ids, strict=False)
    different = (i for i, (one, two) in enumerate(tokens) if one != two)
    return next(different, min(len(said.token_ids), len(other.token_ids)))


def assert_same_voice(said: Said, alone: Said, noise: float) -> None:
    """Equal but for rounding: where the texts part, the choice was a near-tie."""
    assert distance(said, alone) <= 2 * noise
    at = parting(said, alone)
    if at < min(len(said.token_ids), len(alone.token_ids)):
        one, two = said.token_ids[at], alone.token_ids[at]
        # The repetition penalty, equal on both sides, stretches a difference by its factor.
        assert abs(alone.logits[at][one] - alone.logits[at][two]) <= 2.6 * noise


def assert_own_marker_only(character: int, said: Said) -> None:
    strangers = [
        marker for i, marker in enumerate(MARKERS) if i != character and marker in said.text
    ]
    assert not strangers, said.text
    assert MARKERS[character] in said.text


def test_alone_everyone_says_their_marker(soloists: list[Said]) -> None:
    for character, said in enumerate(soloists):
        assert_own_marker_only(character, said)


def test_eight_interleaved_sessions_say_what_they_say_alone(
    stage: Stage, soloists: list[Said], noise: float
) -> None:
    crowd = []
    for character in CHARACTERS:
        crowd.append(stage.ask(character, line_of(character)))
        stage.run(steps=2)
    stage.run()
    assert stage.core.stats().adapters_per_step.counts[5] > 0  # six to eight at once
    for character, said in enumerate(crowd):
        assert_own_marker_only(character, said)
        assert_same_voice(said, soloists[character], noise)


def test_second_turns_in_a_crowd_continue_their_own_first(
    stage: Stage, real_model: Path, noise: float
) -> None:
    firsts = [stage.ask(character, line_of(character)) for character in CHARACTERS]
    stage.run()
    talks = [(line_of(c), firsts[c].text, "And then?") for c in CHARACTERS]
    seconds = [stage.ask(character, *talks[character]) for character in CHARACTERS]
    stage.run()
    for character, said in enumerate(seconds):
        assert_own_marker_only(character, said)
    fresh = Stage(real_model, stage.voices, sequences=1)
    assert_same_voice(seconds[3], fresh.alone(3, *talks[3]), noise)


def test_fewer_sequences_than_characters(
    real_model: Path, voices: list[Path], soloists: list[Said], noise: float
) -> None:
    stage = Stage(real_model, voices, sequences=3)
    crowd = [stage.ask(character, line_of(character)) for character in CHARACTERS]
    stage.run()
    for character, said in enumerate(crowd):
        assert_own_marker_only(character, said)
        assert_same_voice(said, soloists[character], noise)


def test_cancelled_neighbours_leave_nothing_behind(
    stage: Stage, soloists: list[Said], noise: float
) -> None:
    crowd = [stage.ask(character, line_of(character)) for character in CHARACTERS]
    stage.run(steps=5)
    for name in [name for name in stage.said if int(name[0]) % 2 == 0]:
        stage.core.cancel(name)
    late = stage.ask(0, line_of(0))
    stage.run()
    assert stage.core.stats().kv_moves > 0
    for character in (1, 3, 5, 7):
        assert_own_marker_only(character, crowd[character])
        assert_same_voice(crowd[character], soloists[character], noise)
    assert_same_voice(late, soloists[0], noise)


def test_a_hot_swap_changes_the_next_turn_and_no_running_one(
    stage: Stage, soloists: list[Said], noise: float
) -> None:
    before = [stage.ask(character, line_of(character)) for character in CHARACTERS]
    stage.run(steps=6)
    # Character 0 is retrained: its new version speaks with the voice of character 7.
    stage.core.keep_adapter(stage.core.read_adapter("voice-0-retrained", stage.voices[7]))
    stage.core.unload_adapter("voice-0")
    after = stage.ask(0, line_of(7), adapter="voice-0-retrained")
    stage.run()
    for character, said in enumerate(before):
        assert_own_marker_only(character, said)
        assert_same_voice(said, soloists[character], noise)
    assert_own_marker_only(7, after)
    assert_same_voice(after, soloists[7], noise)


async def test_voices_are_their_own_again_after_the_engine_died(
    real_model: Path, voices: list[Path]
) -> None:
    shape = ContextShape(4, context_tokens=256, batch_tokens=256, threads=2)
    engine = LlamaEngine(EngineConfig(real_model, shape))
    vocab = Vocab(real_model)
    for _ in range(2):
        await engine.start()
        for character in (2, 4):
            await engine.load_adapter(f"voice-{character}", voices[character])
        for character in (2, 4):
            prompt = marked_voices.chat(vocab, line_of(character))
            request = Request("r", prompt, f"voice-{character}", sampling=GREEDY)
            finish = [event async for event in engine.generate(request)][-1]
            assert isinstance(finish, Finish)
            assert_own_marker_only(character, Said(finish.token_ids, finish.text))
        assert engine._process is not None
        engine._process.kill()
        await engine.died.wait()
