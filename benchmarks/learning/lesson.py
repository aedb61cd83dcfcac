"""One training on so many pairs of a store, from the bare base, in a process of its own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from npc_server.base_models import catalogue
from npc_server.base_models.own_process import Report
from npc_server.engine.llama import Vocab
from personas.adapter_repo import AdapterRepo, Draft
from personas.persona import Persona
from trainer.base import ensure_base
from trainer.lora import StartingPoint
from trainer.methods import dpo
from trainer.methods.examples import rehearsals
from trainer.progress import RunIO
from trainer.rows.snapshots import snapshot_of


@dataclass(frozen=True)
class Workplace:
    """Where everything lies."""

    base: Path
    cache: Path
    data: Path
    persona: Persona


def teach(report: Report, workplace: Workplace, pairs: int) -> str:
    """Publish a version trained on the first so many pairs; the gate is not asked.

    The pairs are in the order of their hashes, so fewer are a random part of more.
    """
    persona, vocab = workplace.persona, Vocab(workplace.base)
    snapshot = snapshot_of(workplace.data / "feedback.db", persona.id)
    config = dpo.Config()
    examples = rehearsals(persona, vocab, config.schedule.max_tokens)
    start = StartingPoint(ensure_base(workplace.base, workplace.cache), vocab, None)
    folder = workplace.data / f"portion-{pairs}"
    io = RunIO(lambda progress: report("training", progress.step, progress.total_steps))
    dpo.run(config, snapshot.train_pairs[:pairs], examples, start, folder, io)
    draft = Draft(
        character=persona.id,
        parent=None,
        base_sha256=catalogue.file_sha256(workplace.base),
        method="dpo",
        config=asdict(config),
        snapshot_hash=snapshot.hash,
        players=snapshot.players,
        gate={},
        persona_version=persona.version,
    )
    return AdapterRepo(workplace.data / "adapters").publish(draft, folder).version
