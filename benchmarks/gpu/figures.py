"""The figures to reach, and those that are only reported."""

from __future__ import annotations

from benchmarks.marks import Mark
from trainer.monitor import GPU_ROUNDING

MARKS = (
    Mark("forward_difference", "log-probability of a label: GPU against CPU, nats", None, 1e-3),
    Mark("bfloat16_kl", "nats per token of random weights in bfloat16 from the exact ones"),
    Mark("nf4_kl", "the same in four bits"),
    Mark("dpo_speedup", "pairs/s of DPO on 135M dense weights: ours / stock TRL", 1.0),
    Mark("dpo_memory", "peak GPU memory of that: ours / stock TRL", None, 1.0),
    Mark("dpo_loss_difference", "largest difference of the two in a step's loss", None, 0.2),
    Mark("dpo_first_reward", "margin before the first update, which is zero", None, GPU_ROUNDING),
    Mark("qlora_speedup", "the same on 8B weights in four bits", 1.0),
    Mark("qlora_memory", "peak GPU memory of that: ours / stock TRL", None, 1.0),
    Mark("qlora_loss_difference", "largest difference of the two in a step's loss"),
    Mark("qlora_first_reward", "margin before the first update", None, GPU_ROUNDING),
    Mark("qlora_tokens_per_s", "tokens/s of that, ours"),
    Mark("qlora_gib", "peak GPU memory of that, ours"),
    Mark("peak_over_plan", "peak memory under smaller limits: measured / planned", None, 1.0),
    Mark("serving_prompt_gain", "prompt tokens/s: all layers on the GPU / none"),
    Mark("serving_reply_gain", "reply tokens/s: all layers on the GPU / none"),
    Mark("serving_reply_tokens_per_s", "reply tokens/s with all layers on the GPU"),
)
