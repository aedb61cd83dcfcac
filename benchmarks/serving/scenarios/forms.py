"""What a form costs: eight players whose replies must keep to one, and eight whose need not.

One server, rounds in turn. Each form lets a reply go on for as long as it has tokens, so that all
replies are of one length; rates leave the prompts out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.measures import Round, ratio, tokens_per_s_after_first
from benchmarks.serving.load import WARM_ROUND, one_each, play
from benchmarks.serving.peers import PlayerTurn
from benchmarks.serving.peers.troupe import Troupe
from benchmarks.serving.workspace import SHORT, ScenarioResult, Workspace, capacity_for

PLAYERS = 8
FREE = "without a form"
_SCHEMA = {"type": "array", "items": {"type": "string", "maxLength": 20}, "minItems": 40}
#: Grammar and schema by name. The second grammar comes back to itself.
FORMS = {
    FREE: ("", ""),
    "schema": ("", json.dumps(_SCHEMA)),
    "grammar": ('root ::= ([A-Z] [a-z\',; ]{2,60} [.!?] " ")+', ""),
    "recursive_grammar": ('root ::= ([A-Za-z\',;.!? ] | "(" root ")")+', ""),
}


async def run(workspace: Workspace) -> ScenarioResult:
    """Eight players under each form in turn."""
    cast = workspace.cast("forms", PLAYERS, SHORT)
    troupe = Troupe("ours, forms", workspace.base, cast, capacity_for(PLAYERS))
    rounds: dict[str, list[Round]] = {name: [] for name in FORMS}

    def turns(name: str, number: int) -> Sequence[PlayerTurn]:
        free = one_each(cast, workspace.base.vocab, PLAYERS, number)
        return [_under(name, turn) for turn in free]

    await troupe.start()
    try:
        for name in FORMS:
            await play(troupe, turns(name, WARM_ROUND), PLAYERS)
        for number in range(workspace.extent.rounds):
            for place, name in enumerate(_order_in(number)):
                done = number * len(FORMS) + place
                workspace.tell(name, done, workspace.extent.rounds * len(FORMS))
                rounds[name].append(await play(troupe, turns(name, number), PLAYERS))
    finally:
        await troupe.stop()
    rates = {name: [tokens_per_s_after_first(r) for r in played] for name, played in rounds.items()}
    figures = {
        f"{name}_over_free_8": ratio(rates[name], rates[FREE]) for name in FORMS if name != FREE
    }
    return ScenarioResult(figures, rounds)


def _under(name: str, turn: PlayerTurn) -> PlayerTurn:
    grammar, json_schema = FORMS[name]
    sampling = replace(turn.sampling, grammar=grammar, json_schema=json_schema)
    return replace(turn, sampling=sampling)


def _order_in(number: int) -> list[str]:
    """The names, each round beginning with another one."""
    shift = number % len(FORMS)
    return [*list(FORMS)[shift:], *list(FORMS)[:shift]]
