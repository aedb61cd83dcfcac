"""Ways of adapting a model that are offered elsewhere and cannot be served here, with the reason.

The server keeps each running character's LoRA adapter in a slot, so that eight of them share one
step. A slot holds pairs of small matrices beside weights, and nothing else. Pure.
"""

_NOT_A_LORA = "the server's slots hold LoRA adapters only, so it could be trained but not served"
_REASONS = {
    "prefix_tuning": f"prefix tuning puts learned keys and values before the prompt; {_NOT_A_LORA}",
    "prompt_tuning": f"prompt tuning puts learned embeddings before the prompt; {_NOT_A_LORA}",
    "p_tuning": f"p-tuning puts learned embeddings before the prompt; {_NOT_A_LORA}",
    "ia3": f"IA3 scales activations by learned vectors; {_NOT_A_LORA}",
}


def refused_method(name: str) -> str | None:
    """Why a method that goes by this name elsewhere is refused; None for any other name."""
    return _REASONS.get(name.strip().lower().replace("-", "_").replace(" ", "_"))
