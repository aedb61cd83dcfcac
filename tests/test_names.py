"""Functions say what they do: an effect is named by a verb, `ensure_trained` and not `trained`.

A bare participle may name a pure function by its value, as in `merged(ranges)`, and any property.
Those functions are listed here one by one, so that a new one is a decision.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.paths import ROOT

PACKAGES = (
    "troupe",
    "languages",
    "personas",
    "feedback_store",
    "npc_server",
    "npc_client",
    "trainer",
)
PROPERTIES = {"property", "cached_property"}
#: Participles that do not end in -ed, as far as a function might be called so.
IRREGULAR = frozenset(
    [
        "told",
        "heard",
        "said",
        "kept",
        "taken",
        "shown",
        "found",
        "made",
        "written",
        "sent",
        "held",
        "left",
        "begun",
        "given",
        "drawn",
        "known",
        "spoken",
        "built",
        "bound",
        "brought",
        "caught",
        "chosen",
        "done",
        "felt",
        "got",
        "laid",
        "led",
        "lent",
        "lost",
        "meant",
        "met",
        "paid",
        "seen",
        "sold",
        "spent",
        "stood",
        "taught",
        "thought",
        "thrown",
        "understood",
        "won",
        "worn",
    ]
)
NO_PARTICIPLES = frozenset({"seed", "need", "feed", "speed", "exceed", "proceed", "succeed"})

#: Pure functions that are named by the value they return.
PURE = frozenset(
    {
        "feedback_store.selection.near_text.normalised",
        "feedback_store.selection.player_caps.capped",
        "feedback_store.selection.select.changed",
        "personas.adapter_repo._promoted",
        "personas.cast_names.named",
        "personas.checks.asserted",
        "languages.phrases.mentioned",
        "trainer.forward._capped",
        "trainer.gate.rules.unmeasured",
        "trainer.rows.datasets.interleaved",
    }
)


def functions() -> Iterator[tuple[str, str]]:
    """Module and name of every function of ours that is no property."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield from ((module, name) for name in named(path))


def named(path: Path) -> Iterator[str]:
    """The functions and methods of a file that are no properties."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            decorators = {ast.unparse(one).rpartition(".")[2] for one in node.decorator_list}
            if not decorators & PROPERTIES:
                yield node.name


def is_participle(name: str) -> bool:
    """Whether a name is nothing but a participle."""
    word = name.strip("_")
    if "_" in word or word in NO_PARTICIPLES:
        return False
    return word.endswith("ed") or word in IRREGULAR


def test_effects_are_named_by_verbs() -> None:
    participles = {f"{module}.{name}" for module, name in functions() if is_participle(name)}
    assert participles - PURE == set()


def test_every_exception_is_still_there() -> None:
    assert {f"{module}.{name}" for module, name in functions()} >= PURE
