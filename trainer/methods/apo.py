"""Trains an adapter on thumbs, one row at a time: APO-zero (D'Oosterlinck 2024).

    start = StartingPoint(ensure_base(gguf, cache), Vocab(gguf), parent)
    examples = rehearsals(persona, start.tokenizer, max_tokens=1024)
    run(Config(), snapshot.train_labels, examples, start, out, RunIO(print))

Good replies are made likelier than under the reference, bad ones less likely, each by itself: no
drift is measured, so a machine with memory for a single row can train. Everything but the loss
is as in `trainer.methods.kto`.
"""

from dataclasses import dataclass, field

from trainer.methods import kto
from trainer.settings import LoraShape, Memory, Schedule, refuse_dropout, require


@dataclass(frozen=True)
class Config:
    """How to train on labelled replies without measuring drift."""

    lora: LoraShape = field(default_factory=LoraShape)
    schedule: Schedule = field(default_factory=lambda: Schedule(micro_batch_rows=1))
    memory: Memory = field(default_factory=Memory)
    beta: float = 0.1  # higher stays closer to the reference

    def __post_init__(self) -> None:
        """Raises ConfigError."""
        refuse_dropout(self.lora)
        require(0 < self.beta <= 10, "beta", self.beta, "above 0 and at most 10")

    @property
    def loss(self) -> str:
        """TRL's name of the loss."""
        return "apo_zero_unpaired"


#: Trains an adapter as KTO does, by the loss of this `Config`.
run = kto.run
