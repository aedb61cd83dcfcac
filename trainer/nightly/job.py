"""A training job: where its files lie, its claim, and whether it is ready. Loads no model."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from feedback_store.selection import Snapshot
from npc_server.engine.settings import EngineSettings
from npc_server.engine.vocab import Vocab
from personas.chat_ids import chat_of
from personas.known_names import no_such
from personas.lore_notes import LoreSettings
from personas.persona import Persona
from personas.persona_files import character_folders, load_character
from personas.world_files import Worlds
from trainer.errors import ClaimedError, UnknownCharacterError
from trainer.methods.table import candidates
from trainer.rows import readiness
from trainer.rows.forbidden import without_forbidden
from trainer.rows.snapshots import snapshot_of
from trainer.vocabulary import open_vocab


@dataclass(frozen=True)
class Job:
    """Which character to train, and where the files lie."""

    character: str
    base: Path  # the served GGUF
    characters: Path
    store: Path
    adapters: Path
    heads: Path  # reward heads: a repo of their own
    cache: Path
    runs: Path
    engine: EngineSettings = field(default_factory=EngineSettings)  # of the server, and the gate
    chat_template: Path | None = None  # a file in place of the base's own template
    worlds: Path | None = None  # a folder of them; None = `worlds` beside the characters
    lore: LoreSettings = field(default_factory=LoreSettings)  # of the server, and the gate

    def open_vocab(self) -> Vocab:
        """Open the vocabulary of the served base. Raises BaseModelError."""
        return open_vocab(self.base, self.chat_template)

    @property
    def chat_format(self) -> str:
        """The format of its prompts, as manifests name it. Raises BaseModelError."""
        return chat_of(self.open_vocab()).sha256


def load_persona(job: Job) -> Persona:
    """Load this character alone, so that broken files of another do not stop its training.

    Raises UnknownCharacterError and PersonaError.
    """
    folders = {folder.name: folder for folder in character_folders(job.characters)}
    if job.character not in folders:
        raise UnknownCharacterError(no_such("character", job.character, folders))
    return load_character(folders[job.character], Worlds(job.worlds) if job.worlds else None)


def read_snapshot(job: Job) -> Snapshot:
    """Select the training rows from the store. MissingStoreError, and the store's errors."""
    return snapshot_of(job.store, job.character)


def read_readiness(
    job: Job, thresholds: readiness.Thresholds, method: str | None
) -> tuple[Snapshot, readiness.Plan | readiness.Wait]:
    """What could be trained on now, and whether that is enough.

    Rows that only the base's tokenizer can tell to be unfit are still among them.
    """
    persona = load_persona(job)
    rows = without_forbidden(read_snapshot(job), persona)
    dropped = {**rows.snapshot.dropped, **rows.dropped}
    snapshot = replace(rows.snapshot, dropped=dropped)
    waiting = readiness.wait_for_designer(persona)
    return snapshot, waiting or readiness.decide(snapshot, thresholds, candidates(method))


@contextmanager
def claim(job: Job) -> Iterator[None]:
    """Lock the character against other trainers; the kernel frees a dead process's lock."""
    folder = job.adapters / job.character
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".training").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ClaimedError(f"{job.character} is being trained by another process") from error
        yield
