"""What a prompt takes to be written, before any model reads it.

A conversation of twenty lines goes on with a new line each time, as it does in a session: what was
said before has been tokenized, the new line has not. The template is the one of the base that is
measured; `--base` measures another.
"""

from __future__ import annotations

import time
from itertools import cycle, islice
from statistics import median

from benchmarks.measures import Estimate
from benchmarks.serving.workspace import SHORT, ScenarioResult, Workspace
from npc_server.engine.vocab import Vocab
from personas.persona import Persona
from personas.render import Line, Speaker, prompt

LINES = 20
PROMPTS = 200  # a round
_PLENTY = 1 << 20  # tokens; no line is dropped


async def run(workspace: Workspace) -> ScenarioResult:
    """Rounds of prompts, each with a line of its own."""
    persona = workspace.cast("rendering", 1, SHORT).members[0].persona
    rounds = [
        _prompt_ms(persona, workspace.base.vocab, at) for at in range(workspace.extent.rounds)
    ]
    figure = Estimate(median(rounds), min(rounds), max(rounds))
    return ScenarioResult({"render_ms": figure}, samples={"render_ms": rounds})


def _prompt_ms(persona: Persona, vocab: Vocab, number: int) -> float:
    """Milliseconds of a prompt, one with another."""
    speakers = islice(cycle([Speaker.PLAYER, Speaker.CHARACTER]), LINES)
    said = [Line(who, f"Line {at} of round {number}, {who}.") for at, who in enumerate(speakers)]
    prompt(persona, said, "Before the first.", vocab, _PLENTY)
    begun = time.perf_counter()
    for at in range(PROMPTS):
        prompt(persona, said, f"Where is the smith of day {at} of {number}?", vocab, _PLENTY)
    return (time.perf_counter() - begun) * 1e3 / PROMPTS
