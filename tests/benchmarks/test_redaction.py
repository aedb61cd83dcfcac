"""The labelled lines, and how well our rules do on them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pytest

from benchmarks import redaction
from benchmarks.redaction import (
    LINE_SIGNS,
    Labelled,
    Score,
    game_talk,
    hostile,
    labelled,
    read,
    score,
)
from feedback_store.privacy.policy import Mode, policy
from feedback_store.privacy.redaction import Category, Finding, findings, redact


def test_marks_become_spans() -> None:
    line = labelled("<<email:a@b.example>>, <<ip:192.0.2.1>>!")
    wanted = {Finding(0, 11, Category.EMAIL), Finding(13, 22, Category.IP)}
    assert line == Labelled("a@b.example, 192.0.2.1!", frozenset(wanted))


def test_a_finding_counts_only_with_its_category_and_span() -> None:
    line = Labelled("abc", frozenset({Finding(0, 1, Category.IP), Finding(1, 2, Category.IP)}))
    found = [Finding(0, 1, Category.IP), Finding(1, 2, Category.CARD), Finding(1, 3, Category.IP)]
    assert score([line], lambda _: found) == Score(right=1, wrong=2, missed=1)


def test_hostile_lines_are_as_long_as_a_line_may_be() -> None:
    assert {len(line) for line in hostile()} == {LINE_SIGNS}


def test_no_line_stands_in_both_halves() -> None:
    dev, test = ({line.text for line in read(half)} for half in ("dev", "test"))
    assert not dev & test


def test_there_are_enough_lines_of_each_sort() -> None:
    lines = [*read("dev"), *read("test")]
    assert sum(bool(line.wanted) for line in lines) >= 150
    assert sum(not line.wanted for line in lines) >= 200


@pytest.mark.parametrize(
    ("half", "precision", "recall"),
    [("dev", 0.99, 0.99), ("test", 0.97, 0.97)],
    ids=["dev", "test"],
)
def test_personal_data_is_found_and_little_else(half: str, precision: float, recall: float) -> None:
    lines = read(half)
    reached = score(lines, findings)
    assert reached.precision >= precision, _differences(lines)
    assert reached.recall >= recall, _differences(lines)


def test_the_strict_mode_finds_all_that_the_usual_one_finds() -> None:
    lines = [*read("dev"), *read("test")]
    assert [
        line.text
        for line in lines
        if (set(findings(line.text)) - set(findings(line.text, policy(Mode.STRICT)))) & line.wanted
    ] == []


def test_talk_of_games_stays_as_it_is() -> None:
    lines = game_talk()
    changed = [(line, redact(line)) for line in lines if redact(line) != line]
    assert len(lines) >= 300
    assert len(changed) <= 0.02 * len(lines), changed


def test_redacting_a_labelled_line_twice_changes_nothing() -> None:
    lines = chain(read("dev"), read("test"))
    assert [line.text for line in lines if redact(redact(line.text)) != redact(line.text)] == []


def test_figures_are_written_for_both_halves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redaction, "hostile", lambda: ["@" * 50])
    redaction.main(["--out", str(tmp_path)])
    scores = json.loads((tmp_path / "redaction.json").read_text())["scores"]
    assert {*Category, "all"} <= scores["test"].keys() & scores["dev"].keys()


def _differences(lines: Sequence[Labelled]) -> str:
    """What was missed and what was wrong, one line per text."""
    pairs = ((line, frozenset(findings(line.text))) for line in lines)
    return "\n".join(
        f"{line.text!r}: missed {_read(line, line.wanted - found)}, "
        f"wrong {_read(line, found - line.wanted)}"
        for line, found in pairs
        if found != line.wanted
    )


def _read(line: Labelled, spans: frozenset[Finding]) -> list[str]:
    return [f"{one.category} {line.text[one.start : one.end]!r}" for one in sorted(spans)]
