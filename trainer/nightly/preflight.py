"""What a night will need, all of it looked at before the first step.

Settings that a server accepts must not fail a night after hours of training: ranks and lengths
against the engine that serves, the base's chat format, memory and disk. Everything that is wrong is
told at once, each with the setting to change. Last, and only then, the base is unpacked and
compared with the served one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from feedback_store.selection import Edited, Labelled, Pair, Snapshot, texts
from npc_server.engine import host_memory
from npc_server.engine.lora.lora_gguf import linear_shapes, module_names
from personas.errors import PromptTooLongError
from personas.persona import Persona
from personas.render import Tokenizer, reply_ids
from personas.sizes import CONTEXT, faults_of
from trainer import base_comparison, memory
from trainer.base import ensure_base
from trainer.base_comparison import Bases
from trainer.errors import ConfigError, DiskError, TrainerError
from trainer.examination import questions
from trainer.examination.examiner import lines
from trainer.examination.questions import fitting
from trainer.hardware import find_hardware
from trainer.held import Device, Weights
from trainer.lora import adaptable_layers
from trainer.memory import ModelSize
from trainer.memory_plan import Wish, fits, plan
from trainer.methods.table import MethodConfig
from trainer.nightly import disk, lineage
from trainer.nightly.job import Job
from trainer.progress import Tell
from trainer.settings import LoraShape

if TYPE_CHECKING:
    from trainer.heads import reward_head

logger = logging.getLogger(__name__)

MAX_TOKENS = "max_tokens in [training]"


@dataclass(frozen=True)
class Undertaking:
    """A training that is about to begin or to go on."""

    job: Job
    persona: Persona
    base_sha256: str
    snapshot: Snapshot
    config: MethodConfig
    head: reward_head.Config | None


def require_ready(work: Undertaking, tell: Tell) -> None:
    """Check everything that the night will need.

    Raises ConfigError, DiskError or BaseModelError; a ConfigError names all that is wrong.
    """
    work.job.open_vocab()
    ours = (_rank_faults, _layer_faults, _length_faults, _room_faults)
    _complain([fault for faults in ours for fault in faults(work)])
    job = work.job
    base_dir = ensure_base(job.base, job.cache, work.base_sha256, job.engine.context_tokens)
    _complain([*_unservable_layers(work, adaptable_layers(base_dir))])
    max_tokens = work.config.schedule.max_tokens
    bases = Bases(job.base, work.base_sha256, base_dir, job.engine, max_tokens, job.chat_template)
    base_comparison.require_same(bases, lambda progress: tell("compare the base", progress))


def _complain(faults: Sequence[TrainerError]) -> None:
    if len(faults) == 1:
        raise faults[0]
    if faults:
        told = ["this cannot be trained:", *(f"  {fault}" for fault in faults)]
        only_disk = all(isinstance(fault, DiskError) for fault in faults)
        raise (DiskError if only_disk else ConfigError)("\n".join(told))


def _shapes(work: Undertaking) -> Iterator[tuple[str, LoraShape]]:
    yield "[training]", work.config.lora
    if work.head is not None:
        yield "[training.reward_head]", work.head.lora


def _rank_faults(work: Undertaking) -> Iterator[ConfigError]:
    most = work.job.engine.max_rank
    for table, shape in _shapes(work):
        if shape.rank > most:
            yield ConfigError(
                f"{table} rank = {shape.rank}: the server takes adapters up to [engine] max_rank ="
                f" {most}; raise max_rank, or lower rank"
            )


def _layer_faults(work: Undertaking) -> Iterator[ConfigError]:
    known = module_names(linear_shapes(work.job.base))
    for table, shape in _shapes(work):
        if unknown := sorted(set(shape.targets) - known):
            yield ConfigError(
                f"{table} targets = {unknown}: no layers that adapters of this base are served in;"
                f" those are {', '.join(sorted(known))}"
            )


def _unservable_layers(work: Undertaking, found: frozenset[str]) -> Iterator[ConfigError]:
    """Faults of "all layers", where training knows of layers that are not served."""
    served = module_names(linear_shapes(work.job.base))
    for table, shape in _shapes(work):
        if not shape.targets and found != served:
            yield ConfigError(
                f"{table} targets: all layers of this base are {', '.join(sorted(found))}, and"
                f" adapters are served in {', '.join(sorted(served))}; name those of both"
            )


def _length_faults(work: Undertaking) -> Iterator[ConfigError]:
    vocab, persona = work.job.open_vocab(), work.persona
    too_long = [*faults_of(persona, vocab, work.config.schedule.max_tokens, MAX_TOKENS)]
    yield from map(ConfigError, too_long)
    if not too_long:
        yield from _row_faults(work, vocab)
    context = work.job.engine.context_tokens
    unasked = [*faults_of(persona, vocab, context)] or [*_question_faults(work, vocab)]
    yield from map(ConfigError, unasked)


def _question_faults(work: Undertaking, vocab: Tokenizer) -> Iterator[str]:
    """Why the gate could not ask its questions."""
    context, held_out = work.job.engine.context_tokens, lines(work.snapshot, work.persona)
    if held_out and not fitting(work.persona, held_out, context):
        shortest = min(len(line.prompt_ids) for line in held_out)
        yield (
            f"{CONTEXT} is {context}: none of {len(held_out)} held-out lines of {work.persona.id}"
            f" fits, the shortest takes {shortest} tokens without a reply; raise it"
        )
    try:
        questions.plan(work.persona, vocab, held_out, context, work.job.lore)
    except PromptTooLongError as error:
        yield f"{CONTEXT} is {context}: the gate could not ask its questions: {error}; raise it"


def _row_faults(work: Undertaking, vocab: Tokenizer) -> Iterator[ConfigError]:
    max_tokens, rows = work.config.schedule.max_tokens, work.snapshot
    trained_on: list[Pair | Labelled | Edited] = [
        *rows.train_pairs,
        *rows.train_labels,
        *rows.train_edits,
    ]
    lengths = [
        len(row.prompt_ids) + max(len(reply_ids(text, vocab)) for text in texts(row))
        for row in trained_on
    ]
    if lengths and min(lengths) > max_tokens:
        yield ConfigError(
            f"[training] max_tokens = {max_tokens}: all {len(lengths)} rows of"
            f" {work.persona.id} are longer, the shortest has {min(lengths)} tokens; raise"
            " max_tokens"
        )


def _room_faults(work: Undertaking) -> Iterator[TrainerError]:
    yield from _memory_faults(work)
    job, rank = work.job, work.config.lora.rank
    wanted = [(job.runs, disk.run_bytes(job.base, rank), "a run")]
    if not lineage.unpacked_base(job, work.base_sha256).is_dir():
        wanted.append((job.cache, disk.dense_bytes(job.base), "the unpacked base"))
    yield from disk.shortages(wanted)


def _memory_faults(work: Undertaking) -> Iterator[ConfigError]:
    base, free = memory.base_size(work.job.base), host_memory.available_bytes()
    yield from _training_faults(work, base.model)
    if free is None:
        return
    least = memory.engine_least(base, work.job.engine)
    if least > free:
        yield ConfigError(
            f"memory: the gate's engine takes {_mib(least)} or more, and"
            f" {_mib(free)} are free; lower context_tokens or sequences in [engine]"
        )


def _training_faults(work: Undertaking, model: ModelSize) -> Iterator[ConfigError]:
    config, schedule = work.config, work.config.schedule
    try:
        hardware = find_hardware(config.memory.device)
        wish = Wish(config.memory, config.lora, schedule.micro_batch_rows, 1, schedule.max_tokens)
        held = plan(model, wish, hardware)
    except ConfigError as error:
        yield error
        return
    if not fits(model, wish, held, hardware):
        need = memory.training_need(model, wish.lora, held, wish.longest_tokens)
        logger.warning(
            "memory: training may take %s with the longest rows, and %s are free; a smaller"
            " max_tokens in [training] takes less",
            _mib(need.likely),
            _mib(hardware.free_bytes or 0),
        )
    if (held.device, held.weights) != (Device.CPU, Weights.FLOAT32):
        yield from _host_faults(model)


def _host_faults(model: ModelSize) -> Iterator[ConfigError]:
    """Whatever trains on it, a base is unpacked and compared in the host's memory."""
    free = host_memory.available_bytes()
    dense = memory.base_bytes(model, Weights.FLOAT32, in_bfloat16=False)
    if free is not None and dense > free:
        yield ConfigError(
            f"memory: the base takes {_mib(dense)} while it is unpacked and compared, whatever"
            f" trains on it, and {_mib(free)} are free; free some, or use a smaller base"
        )


def _mib(count: int) -> str:
    return f"{count / memory.MIB:.0f} MiB"
