"""Checkpoints that are whole or do not count.

transformers writes a checkpoint file by file into its final folder, so a killed training may leave
half of one. Here a checkpoint counts once it is sealed by a file, renamed into place last, with the
size of every other file and the fingerprint of the training. Unsealed, shortened and foreign ones
are removed, never resumed. The reference adapter is not kept: it is copied from the parent again.
"""

import json
import shutil
from pathlib import Path
from typing import Any

SEAL = "sealed.json"
REFERENCE = "ref"  # TRL's name for its reference adapter
MODEL_CARD = "README.md"  # TRL writes one beside its checkpoints
KEPT = 2  # the newest may not be sealed yet, or is not the best
_FOLDERS = "checkpoint-*"  # as transformers names them


def seal(checkpoint: Path, inputs: str) -> None:
    """Declare a checkpoint complete; `inputs` is the fingerprint of its training."""
    shutil.rmtree(checkpoint / REFERENCE, ignore_errors=True)
    draft = checkpoint / f".{SEAL}"
    draft.write_text(json.dumps({"inputs": inputs, "bytes": _sizes(checkpoint)}))
    draft.rename(checkpoint / SEAL)


def resumable(folder: Path, inputs: str) -> Path | None:
    """Find the newest complete checkpoint of the training `inputs`; remove all unusable ones."""
    whole = []
    for checkpoint in folder.glob(_FOLDERS):
        if _is_whole(checkpoint, inputs):
            whole.append(checkpoint)
        else:
            shutil.rmtree(checkpoint)
    return max(whole, key=_step, default=None)


def remove(folder: Path) -> None:
    """Remove the checkpoints of a finished training, and TRL's model card."""
    for checkpoint in folder.glob(_FOLDERS):
        shutil.rmtree(checkpoint)
    (folder / MODEL_CARD).unlink(missing_ok=True)


def _is_whole(checkpoint: Path, inputs: str) -> bool:
    try:
        sealed: Any = json.loads((checkpoint / SEAL).read_text())
    except (OSError, ValueError):
        return False
    return bool(sealed == {"inputs": inputs, "bytes": _sizes(checkpoint)})


def _sizes(checkpoint: Path) -> dict[str, int]:
    names = (path for path in checkpoint.rglob("*") if path.is_file())
    return {
        str(path.relative_to(checkpoint)): path.stat().st_size
        for path in names
        if path.name not in (SEAL, f".{SEAL}")
    }


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
