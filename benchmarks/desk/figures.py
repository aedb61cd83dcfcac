"""The figures to reach."""

from __future__ import annotations

from benchmarks.marks import Mark

MARKS = (
    Mark("reload_ms", "file saved -> first turn under the new text may start", None, 500),
    Mark("reload_large_ms", "the same in a cast of 10,000"),
    Mark("cast_start_s", "start with 10,000 characters beyond start with 3", None, 10),
    Mark("cast_kib", "memory of the server per character", None, 64),
    Mark("lore_render_ms", "choosing and rendering lore at 10,000 entries", None, 5),
    Mark("lore_growth", "the same / at 100 entries", None, 3),
    Mark("memory_recall", "told facts that are in the prompt when they are asked for", 0.9),
    Mark("memory_recall_first", "the same among the first three notes"),
    Mark("tokens_per_question", "tokens of memory in a prompt"),
    Mark("summaries_made", "talks of which a summary is remembered"),
    Mark("summary_facts", "told facts that these summaries keep", 0.5),
    Mark("summaries_inventing", "summaries with a word that nobody said", None, 0.1),
    Mark("action_cost", "tokens for emotion and action / tokens of the turn", None, 0.2),
    Mark("acting_turns", "share of Mira's turns with an action"),
    Mark(
        "false_actions",
        "lines asking for nothing after which something is done",
        None,
        0.05,
    ),
    Mark("missed_actions", "lines asking for an action after which it is not taken"),
)
