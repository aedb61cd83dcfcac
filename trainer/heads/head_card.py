"""What a reward head is: `head.json`, beside its two adapter files, written last.

It names the base that the head belongs to, the two words whose logits make a score, and what the
head got right of pairs that it was not trained on.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import JsonValue, TypeAdapter, ValidationError

from feedback_store.statistics import Interval
from personas.reward_heads import Word
from trainer.errors import AdapterError

FILE = "head.json"


@dataclass(frozen=True)
class Card:
    """All that a scorer and a judge of heads need to know."""

    base: str  # name of the dequantised base's folder: the GGUF's digest, shortened
    good: Word
    bad: Word
    config: dict[str, JsonValue]
    rows: int  # pairs trained on
    held_out_rows: int
    held_out_accuracy: float
    interval: Interval  # of the accuracy, 95 %


_CARD = TypeAdapter(Card)


def write(card: Card, folder: Path) -> None:
    """Declare the head in `folder` complete. Raises OSError."""
    (folder / FILE).write_text(json.dumps(asdict(card), indent=2, sort_keys=True) + "\n")


def read(folder: Path) -> Card:
    """The card of a complete head. Raises AdapterError."""
    try:
        return _CARD.validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise AdapterError(f"{folder} is no reward head: {FILE} cannot be read: {error}") from error
