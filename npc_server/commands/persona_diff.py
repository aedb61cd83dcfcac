"""`npc persona diff`: what two characters, or two versions of one, say differently."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from npc_server.commands.command_line import say
from personas.comparison import Change, changes, cost_difference, prompt_difference
from personas.persona import Persona

if TYPE_CHECKING:
    from npc_server.engine.vocab import Vocab

_LONGEST = 100  # of a value that is shown in one line


def show(before: Persona, after: Persona, vocab: Vocab | None) -> None:
    """Print values by key, the prompt sentence by sentence, and tokens by part."""
    found = changes(before, after)
    if not found:
        say(f"{before.id} and {after.id} say the same, version {after.version}")
        return
    say(f"version {before.version} -> {after.version}")
    for change in found:
        say(_line_of(change))
    difference = prompt_difference(before, after)
    say("\nprompt:" if difference else "\nprompt: the same")
    for line in difference:
        say(f"  {line}")
    if vocab is not None:
        _show_cost(before, after, vocab)


def _show_cost(before: Persona, after: Persona, vocab: Vocab) -> None:
    say("\ntokens:")
    costs = cost_difference(before, after, vocab)
    total = tuple(map(sum, zip(*costs.values(), strict=True)))
    for name, (old, new) in [*costs.items(), ("in all", total)]:
        change = f"  {new - old:+}" if new != old else ""
        say(f"  {name:14} {old:5} -> {new:5}{change}")


def print_json(before: Persona, after: Persona, vocab: Vocab | None) -> None:
    """Print the same for scripts."""
    content: dict[str, Any] = {
        "versions": [before.version, after.version],
        "changes": [asdict(change) for change in changes(before, after)],
        "prompt": prompt_difference(before, after),
    }
    if vocab is not None:
        content["tokens"] = cost_difference(before, after, vocab)
    print(json.dumps(content, ensure_ascii=False))


def _line_of(change: Change) -> str:
    if change.before is None:
        return f"+ {change.key}: {_brief(change.after)}"
    if change.after is None:
        return f"- {change.key}: {_brief(change.before)}"
    return f"~ {change.key}: {_brief(change.before)} -> {_brief(change.after)}"


def _brief(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
