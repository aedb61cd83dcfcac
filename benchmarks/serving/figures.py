"""The figures that serving is to reach, by the kind of CPU."""

from __future__ import annotations

from benchmarks.marks import CpuKind, Mark


def _ratio(key: str, what: str, with_avx512: float, without: float) -> Mark:
    return Mark(key, what, with_avx512, without_avx512=without)


MARKS = (
    _ratio("mixed_over_shared_8", "tok/s: 8 characters / 1 character, 8 players each", 0.95, 0.90),
    _ratio("mixed_over_shared_8_long", "the same with long personas", 0.90, 0.88),
    _ratio("vs_llama_server_8", "tok/s: ours / llama-server, 8 adapters", 2.4, 2.2),
    _ratio("vs_llama_server_16", "tok/s: ours / llama-server, 16 adapters", 2.6, 2.4),
    _ratio("vs_llama_server_8_long", "the same with 8, long personas", 2.2, 2.0),
    _ratio("ttft_median_gain_8", "median time to first token: llama-server / ours", 10, 8),
    _ratio("ttft_worst_gain_8", "worst time to first token: llama-server / ours", 14, 10),
    Mark("vs_peft_8", "tok/s: ours / transformers + PEFT, which keeps no prefix", 5),
    Mark("vs_peft_8_decode", "the same, the peer's time to first token not counted"),
    _ratio("over_bare_decode", "tok/s: gRPC / bare decode loop, 8 rows, one adapter", 0.92, 0.90),
    Mark("publish_to_speech_ms", "from Promote answered to the first token under it", None, 100),
    Mark("publish_sent_to_speech_ms", "from Promote sent to the first token under it"),
    Mark("load_gap_steps", "longest gap of running streams during Promote, in steps", None, 2),
    Mark("speech_gap_steps", "longest gap from its answer to the first token, in steps"),
    Mark("zipf_100_over_5", "tok/s: Zipf traffic on 100 characters / on 5, 16 sequences", 0.85),
    Mark("p99_gap_8_over_1", "p99 gap between tokens: 8 characters / 1 character", None, 1.5),
    Mark("second_turn_ttft", "time to first token: second turn / cold first turn", None, 0.25),
    Mark("long_talk_ttft", "median first word: turns 20-60 / turns 5-10, 4 s between", None, 1.5),
    Mark("long_talk_ttft_p95", "95th percentile of turns 20-60 / median of turns 5-10", None, 3),
    Mark("long_talk_ttft_no_pause", "the median ratio when the player takes no time", None, 1.5),
    Mark("long_talk_ttft_p95_no_pause", "the 95th percentile ratio then", None, 3),
    Mark("idle_100_cost", "tok/s of 8 turns: beside 100 idle sessions / without", 0.95),
    Mark("schema_over_free_8", "tok/s of 8 replies: under a JSON schema / without a form"),
    Mark("grammar_over_free_8", "the same under a grammar"),
    Mark("recursive_grammar_over_free_8", "the same under a grammar that comes back to itself"),
    Mark("mixed_over_shared_8_1b", "as mixed_over_shared_8, on 1.1B random weights", 0.95),
    Mark("mixed_over_shared_8_1b_rank_8", "the same with adapters of rank 8"),
    Mark("vs_llama_server_8_1b", "tok/s there: ours / llama-server, 8 adapters"),
    Mark("vs_llama_server_8_1b_rank_8", "the same with adapters of rank 8"),
    Mark("mixed_over_shared_8_06b", "as mixed_over_shared_8, on 0.6B in the shape of Qwen 3"),
    Mark("mixed_over_shared_8_06b_rank_8", "the same with adapters of rank 8"),
    Mark("vs_llama_server_8_06b", "tok/s there: ours / llama-server, 8 adapters"),
    Mark("vs_llama_server_8_06b_rank_8", "the same with adapters of rank 8"),
    Mark("render_ms", "a prompt of 20 lines, ms", None, 1),
    Mark("idle_session_kib", "memory of an idle session beyond its keys and values"),
)


def marks_on(cpu: CpuKind) -> tuple[Mark, ...]:
    """The marks for a kind of CPU."""
    return tuple(mark.on(cpu) for mark in MARKS)
