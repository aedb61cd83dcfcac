"""The measure of distance from the base: KL divergence over a text, in nats.

In training the text is `plain_text.txt`, plain prose that is never trained on and shares no
sentence with the text that the gate measures drift by.
"""

from collections.abc import Sequence
from importlib import resources

import torch
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel

from personas.render import Tokenizer

WINDOW_TOKENS = 256
MOST_TOKENS = 1536  # a byte tokenizer would make many thousands of a text


def plain_text() -> str:
    """The text that training measures by."""
    return (resources.files("trainer") / "plain_text.txt").read_text("utf-8")


def token_windows(text: str, tokenizer: Tokenizer) -> list[tuple[int, ...]]:
    """Split the first MOST_TOKENS ids of a text into windows of at least two ids."""
    ids = tokenizer.encode(text)[:MOST_TOKENS]
    portions = [tuple(ids[at : at + WINDOW_TOKENS]) for at in range(0, len(ids), WINDOW_TOKENS)]
    return [portion for portion in portions if len(portion) > 1]


def next_log_probs(model: PreTrainedModel | PeftModel, window: Sequence[int]) -> Tensor:
    """Log-probabilities of each next token, (position, vocabulary), in nats."""
    with torch.inference_mode():
        logits: Tensor = model(input_ids=torch.tensor([window], device=model.device)).logits[0]
    return logits.float().log_softmax(-1)


def kl_divergence(own: Tensor, base: Tensor) -> float:
    """KL(own || base) of log-probabilities (position, vocabulary), summed over positions."""
    return float((own.exp() * (own - base)).sum())
