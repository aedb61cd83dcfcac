"""The figures to reach."""

from __future__ import annotations

from benchmarks.marks import Mark

MARKS = (
    Mark("web_over_grpc", "tokens/s of 8 streams over Connect / over gRPC", 0.95),
    Mark(
        "web_ttft_added_ms",
        "time to the first text of a player alone, over Connect - over gRPC",
        None,
        5,
    ),
    Mark("grpc_web_over_grpc", "tokens/s of 8 streams over gRPC-Web / over gRPC", 0.95),
    Mark("grpc_web_ttft_added_ms", "the same for the first text", None, 5),
    Mark("openai_over_grpc", "tokens/s of 8 streams over the OpenAI API / over gRPC", 0.95),
    Mark("openai_ttft_added_ms", "the same for the first text", None, 5),
)
