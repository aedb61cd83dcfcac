"""Ways of adapting a model that are offered elsewhere and cannot be served here, with the reason.

The server keeps all characters in one pool of LoRA adapters, so that eight of them cost one step.
Whatever is not a pair of small matrices beside a weight has no place in it. Pure.
"""

_NOT_A_LORA = "the server's pool holds LoRA adapters only, so it could be trained but not served"
_REASONS = {
    "prefix_tuning": f"prefix tuning puts learned keys and values before the prompt; {_NOT_A_LORA}",
    "prompt_tuning": f"prompt tuning puts learned embeddings before the prompt; {_NOT_A_LORA}",
    "p_tuning": f"p-tuning puts learned embeddings before the prompt; {_NOT_A_LORA}",
    "ia3": f"IA3 scales activations by learned vectors; {_NOT_A_LORA}",
}


def refused_method(name: str) -> str | None:
    """Why a method that goes by this name elsewhere is refused; None for any other name."""
    return _REASONS.get(name.strip().lower().replace("-", "_").replace(" ", "_"))
