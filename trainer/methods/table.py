"""The training methods: one table.

A method is a module with a `Config` and a `run`. Adding one means writing that module and giving it
a row here: readiness, settings, the command line and the nights all read this table. The modules
load model libraries, so each is imported only when its `Config` or `run` is asked for. Methods that
could be trained and not served are refused by name in `trainer.recipes.refused_methods`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import Field, dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from trainer.rows.readiness import EDITS, LABELS, PAIRS, RowKind
from trainer.settings import CommonSettings

if TYPE_CHECKING:
    from trainer.lora import StartingPoint
    from trainer.progress import RunIO, RunResult
    from trainer.rows.datasets import Spoken


class MethodConfig(CommonSettings, Protocol):
    """What the configs of all methods have; they are frozen dataclasses."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


class Train(Protocol):
    """Trains an adapter on rows beside rehearsed examples."""

    def __call__(
        self,
        config: Any,
        rows: Any,
        examples: Sequence[Spoken],
        start: StartingPoint,
        out_dir: Path,
        io: RunIO,
    ) -> RunResult:
        """Write the adapter's two files into `out_dir`. Raises TrainerError."""


@dataclass(frozen=True)
class Method:
    """How a character can be trained."""

    module: str
    learns_from: RowKind
    experimental: bool = False  # TRL may still change or drop it

    @property
    def config(self) -> Any:
        """The class of its settings, whose instances are `MethodConfig`s. Imports the module."""
        return import_module(self.module).Config

    @property
    def run(self) -> Train:
        """Its training. Imports the module."""
        run: Train = import_module(self.module).run
        return run


#: By the name that npc.toml, commands and manifests use.
METHODS = {
    # On preference pairs: edits and choices.
    "dpo": Method("trainer.methods.dpo", PAIRS),
    # On single replies with a thumb.
    "kto": Method("trainer.methods.kto", LABELS),
    # On single replies with a thumb, one at a time: for machines with little memory.
    "apo_zero": Method("trainer.methods.apo", LABELS),
    # On players' edits and earlier good replies, learned by heart.
    "sft": Method("trainer.methods.sft", EDITS),
    # On preference pairs, without a reference.
    "orpo": Method("trainer.methods.orpo", PAIRS, experimental=True),
    # On preference pairs, without a reference and regardless of length.
    "simpo": Method("trainer.methods.simpo", PAIRS, experimental=True),
}
#: What the rows choose among when no method is asked for; the first with enough rows wins.
BY_ROWS = ("dpo", "kto")


def candidates(asked_for: str | None) -> dict[str, RowKind]:
    """The methods that may be used, each with what it learns from; None = the rows decide."""
    return {name: METHODS[name].learns_from for name in ([asked_for] if asked_for else BY_ROWS)}
