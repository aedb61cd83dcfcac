"""One training on some pairs of a store, from the bare base, in a process of its own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from npc_server.base_models.model_files import file_sha256
from npc_server.base_models.own_process import Report
from npc_server.engine.vocab import Vocab
from personas.adapter_repo import AdapterRepo, Draft
from personas.persona import Persona
from trainer.base import ensure_base
from trainer.lora import StartingPoint
from trainer.methods import dpo
from trainer.methods.examples import rehearsals
from trainer.progress import RunIO
from trainer.rows.snapshots import snapshot_of


@dataclass(frozen=True)
class TrainingInputs:
    """What a training reads, and the data folder it publishes to."""

    base: Path
    cache: Path
    data: Path
    persona: Persona


def train_and_publish(report: Report, inputs: TrainingInputs, pairs: int) -> str:
    """Publish a version trained on the first `pairs` pairs; the gate is not asked.

    The pairs are in the order of their hashes, so fewer are a random part of more.
    """
    persona, vocab = inputs.persona, Vocab(inputs.base)
    snapshot = snapshot_of(inputs.data / "feedback.db", persona.id)
    config = dpo.Config()
    examples = rehearsals(persona, vocab, config.schedule.max_tokens)
    start = StartingPoint(ensure_base(inputs.base, inputs.cache), vocab, None)
    folder = inputs.data / f"portion-{pairs}"
    io = RunIO(lambda progress: report("training", progress.step, progress.total_steps))
    dpo.run(config, snapshot.train_pairs[:pairs], examples, start, folder, io)
    draft = Draft(
        character=persona.id,
        parent=None,
        base_sha256=file_sha256(inputs.base),
        method="dpo",
        config=asdict(config),
        snapshot_hash=snapshot.hash,
        players=snapshot.players,
        gate={},
        persona_version=persona.version,
    )
    return AdapterRepo(inputs.data / "adapters").publish(draft, folder).version
