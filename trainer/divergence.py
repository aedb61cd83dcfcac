"""How far a voice's language is from the base's: KL divergence, in nats a token, over a text.

The text for use within training is `plain_text.txt`, plain prose that is never trained on and has
no sentence of the text that the gate measures by.
"""

from collections.abc import Sequence
from importlib import resources

import torch
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel

from personas.render import Tokenizer

WINDOW_TOKENS = 256
MOST_TOKENS = 1536  # a tokenizer of bytes would make many thousands of a text


def plain_text() -> str:
    """The text for use within training."""
    return (resources.files("trainer") / "plain_text.txt").read_text("utf-8")


def windows_of(text: str, tokenizer: Tokenizer) -> list[tuple[int, ...]]:
    """A text as ids, up to a limit, in portions of at least two."""
    ids = tokenizer.encode(text)[:MOST_TOKENS]
    portions = [tuple(ids[at : at + WINDOW_TOKENS]) for at in range(0, len(ids), WINDOW_TOKENS)]
    return [portion for portion in portions if len(portion) > 1]


def next_chances(model: PreTrainedModel | PeftModel, window: Sequence[int]) -> Tensor:
    """Log-probabilities of every next token, (position, vocabulary), in nats."""
    with torch.inference_mode():
        logits: Tensor = model(input_ids=torch.tensor([window], device=model.device)).logits[0]
    return logits.float().log_softmax(-1)


def divergence(own: Tensor, base: Tensor) -> float:
    """KL(own || base) of log-probabilities (position, vocabulary), over all positions, in nats."""
    return float((own.exp() * (own - base)).sum())
