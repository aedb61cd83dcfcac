"""The lines of every language, and how well the rule does on them."""

import json

import pytest

from benchmarks.languages.__main__ import measure
from benchmarks.languages.lines import Planted, dressed, languages, read_lines
from tests.support.paths import ROOT
from tests.support.smiths import LANGUAGES

MOST_MISSED, MOST_FALSE = 1, 2


def test_every_language_has_enough_lines() -> None:
    assert set(languages()) == set(LANGUAGES)
    for language in languages():
        lines = read_lines(language)
        assert len(lines.planted) >= 15
        assert len(lines.innocent) >= 25


@pytest.mark.parametrize("language", LANGUAGES)
def test_planted_phrases_are_found_and_innocent_lines_left_alone(language: str) -> None:
    found = measure(language, read_lines(language))
    assert min(found["found"].values()) >= found["planted"] - MOST_MISSED
    assert len(found["false_alarms"]) <= MOST_FALSE
    assert found["machine_talk_missed"] == []
    assert found["machine_talk_false_alarms"] == []


def test_other_dress_changes_the_text_and_not_the_figures() -> None:
    dresses = dict(dressed(Planted("clé", "La clé.")))
    assert len(set(dresses.values())) == len(dresses)


def test_the_results_are_those_of_these_lines() -> None:
    kept = json.loads((ROOT / "benchmarks/results/languages.json").read_text("utf-8"))["languages"]
    for language in languages():
        assert kept[language]["found"] == measure(language, read_lines(language))["found"]
