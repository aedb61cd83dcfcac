"""Which rows each method learns from, and the module that teaches them: one table.

A method is a module with a `Config` and a `run`. Adding one means writing that module, naming it in
`trainer.settings.Method` and giving it a line here; nothing else branches on methods. Ways of
adapting a model that others have and that cannot be served are refused by name, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from feedback_store.selection import Snapshot
from trainer.lora import StartingPoint
from trainer.methods import apo, dpo, kto, orpo, sft, simpo
from trainer.methods.replay import rows_of
from trainer.progress import RunIO, RunResult
from trainer.rows.datasets import Spoken
from trainer.settings import LoraShape, Memory, Method, Schedule


class MethodConfig(Protocol):
    """What the configs of all methods have; they are frozen dataclasses."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def lora(self) -> LoraShape:
        """The adapter's shape."""

    @property
    def schedule(self) -> Schedule:
        """How long, and in what portions."""

    @property
    def memory(self) -> Memory:
        """What is given up for memory."""


class Run(Protocol):
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
class Teaching:
    """How one method is carried out."""

    config: Callable[..., MethodConfig]
    run: Run
    rows: Callable[[Snapshot], Any]  # to be trained on; what kind of rows, only `run` knows


TEACHINGS: Mapping[Method, Teaching] = {
    Method.DPO: Teaching(dpo.Config, dpo.run, lambda snapshot: snapshot.train_pairs),
    Method.KTO: Teaching(kto.Config, kto.run, lambda snapshot: snapshot.train_labels),
    Method.APO: Teaching(apo.Config, apo.run, lambda snapshot: snapshot.train_labels),
    Method.SFT: Teaching(sft.Config, sft.run, rows_of),
    Method.ORPO: Teaching(orpo.Config, orpo.run, lambda snapshot: snapshot.train_pairs),
    Method.SIMPO: Teaching(simpo.Config, simpo.run, lambda snapshot: snapshot.train_pairs),
}
