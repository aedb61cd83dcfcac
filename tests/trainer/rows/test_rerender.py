"""What rendering again promises: rows as they would be served today, and every loss counted."""

from dataclasses import replace
from pathlib import Path

import pytest

from feedback_store.records import Edit, Thumb
from personas.fake import FakeTokenizer
from personas.persona import Persona
from personas.persona_files import load_character
from personas.render import Line, Speaker, prompt
from tests.support.casts import copy_cast
from tests.support.feedback_log import TURN, Log, held_out, trained
from trainer.rows.forbidden import Forbidden
from trainer.rows.rerender import Unfit, rerender

LINE = "What metal is this?"
REPLY = "Iron, stranger. Nothing but iron."
BETTER = "Good iron."
HISTORY = (Line(Speaker.PLAYER, "Good day."), Line(Speaker.CHARACTER, "Is it? Mind the sparks."))
ROOMY = 8192  # tokens; the fake tokenizer has one a byte


class OtherTokenizer(FakeTokenizer):
    """As another base would have."""

    def encode(self, text: str) -> list[int]:
        return [identifier + 1 for identifier in super().encode(text)]


@pytest.fixture(scope="module")
def tokenizer() -> FakeTokenizer:
    return FakeTokenizer()


def edited(folder: Path, old: str, new: str) -> Persona:
    """Mira with some of her files' text replaced, as a designer would."""
    mira = copy_cast(folder, "mira") / "mira"
    for file in mira.iterdir():
        file.write_text(file.read_text().replace(old, new))
    return load_character(mira)


@pytest.fixture
def mira(tmp_path: Path) -> Persona:
    """As she was when the feedback came: two of her examples in the prompt."""
    folder = tmp_path / "then"
    return edited(folder, "sampling:", "examples_in_prompt: 2\nsampling:")


@pytest.fixture
def today(tmp_path: Path) -> Persona:
    """With a new summary, and no example in the prompt."""
    return edited(tmp_path / "today", "gruff, honest", "gentle")


def spoken(log: Log, persona: Persona, turn_id: str, history: tuple[Line, ...] = ()) -> None:
    """A turn as the server records it."""
    rendered = prompt(persona, history, LINE, FakeTokenizer(), ROOMY)
    log.said(
        turn_id,
        REPLY,
        player_text=LINE,
        prompt_ids=rendered.ids,
        messages=tuple({"role": m.role, "content": m.content} for m in rendered.messages),
        persona_version=persona.version,
    )


@pytest.fixture
def log(mira: Persona) -> Log:
    """A session of two turns; the second one was corrected."""
    made = Log()
    spoken(made, mira, "t1")
    spoken(made, mira, "t2", HISTORY)
    made.did("t2", Edit(BETTER))
    return made


def test_rows_of_todays_persona_are_untouched(
    log: Log, mira: Persona, tokenizer: FakeTokenizer
) -> None:
    snapshot = log.selected()
    made = rerender(snapshot, mira, tokenizer, max_tokens=16)  # what is served is served
    assert made.snapshot is snapshot
    assert (made.rerendered, made.dropped) == (0, {})


def test_an_interrupted_reply_in_the_history_is_trained_as_it_would_be_served(
    mira: Persona, today: Persona, tokenizer: FakeTokenizer
) -> None:
    history = (
        Line(Speaker.PLAYER, "Good day."),
        Line(Speaker.CHARACTER, "Is it? Mind", interrupted=True),
        Line(Speaker.PLAYER, "Wait."),
        Line(Speaker.CHARACTER, "", interrupted=True),
    )
    log = Log()
    spoken(log, mira, "t1")
    spoken(log, mira, "t2", history)
    log.did("t2", Edit(BETTER))
    for persona in (mira, today):
        (pair,) = rerender(log.selected(), persona, tokenizer, ROOMY).snapshot.train_pairs
        assert pair.prompt_ids == prompt(persona, history, LINE, tokenizer, ROOMY).ids


def test_an_edited_persona_gets_the_same_history_in_its_own_prompt(
    log: Log, today: Persona, tokenizer: FakeTokenizer
) -> None:
    made = rerender(log.selected(), today, tokenizer, ROOMY)
    (pair,) = made.snapshot.train_pairs
    served = prompt(today, HISTORY, LINE, tokenizer, ROOMY)
    assert pair.prompt_ids == served.ids
    assert [message["content"] for message in pair.messages] == [
        message.content for message in served.messages
    ]


def test_all_that_follows_from_the_rows_is_todays(
    log: Log, today: Persona, tokenizer: FakeTokenizer
) -> None:
    before = log.selected()
    made = rerender(before, today, tokenizer, ROOMY)
    ids = prompt(today, HISTORY, LINE, tokenizer, ROOMY).ids
    rows = (*trained(made.snapshot), *made.snapshot.train_prompts)
    assert [row.prompt_ids for row in rows] == [ids, ids, ids]
    assert made.rerendered == 2  # the pair, and the text of the edit
    assert made.snapshot.hash != before.hash
    assert made == rerender(log.selected(), today, tokenizer, ROOMY)


def test_held_out_rows_are_rendered_again_too(
    log: Log, today: Persona, tokenizer: FakeTokenizer
) -> None:
    log.did("t1", Thumb(False))
    snapshot = log.selected()
    judged = replace(
        snapshot,
        held_out_pairs=snapshot.train_pairs,
        held_out_labels=snapshot.train_labels,
        held_out_edits=snapshot.train_edits,
    )
    made = rerender(judged, today, tokenizer, ROOMY).snapshot
    assert len(held_out(made)) == 3
    assert {row.prompt_ids for row in held_out(made)} == {
        prompt(today, (), LINE, tokenizer, ROOMY).ids,
        prompt(today, HISTORY, LINE, tokenizer, ROOMY).ids,
    }


def test_another_tokenizer_gives_other_ids_for_the_same_conversation(
    log: Log, mira: Persona
) -> None:
    made = rerender(log.selected(), mira, OtherTokenizer(), ROOMY)
    (pair,) = made.snapshot.train_pairs
    assert pair.prompt_ids == prompt(mira, HISTORY, LINE, OtherTokenizer(), ROOMY).ids
    assert made.rerendered == 2


def test_oldest_history_gives_way_to_the_replies(
    log: Log, today: Persona, tokenizer: FakeTokenizer
) -> None:
    room = len(prompt(today, HISTORY, LINE, tokenizer, ROOMY).ids)
    (pair,) = rerender(log.selected(), today, tokenizer, room).snapshot.train_pairs
    assert pair.prompt_ids == prompt(today, (), LINE, tokenizer, ROOMY).ids


def test_a_line_that_no_longer_fits_is_dropped_and_counted(
    log: Log, today: Persona, tokenizer: FakeTokenizer
) -> None:
    room = len(prompt(today, (), LINE, tokenizer, ROOMY).ids)
    made = rerender(log.selected(), today, tokenizer, room)
    assert not trained(made.snapshot)
    assert not made.snapshot.train_prompts
    assert made.dropped == {Unfit.LINE_TOO_LONG: 2}


def test_examples_that_left_the_prompt_do_not_become_history(
    log: Log, tmp_path: Path, tokenizer: FakeTokenizer
) -> None:
    bare = edited(tmp_path / "bare", "sampling:", "examples_in_prompt: 0\nsampling:")
    (pair,) = rerender(log.selected(), bare, tokenizer, ROOMY).snapshot.train_pairs
    assert pair.prompt_ids == prompt(bare, HISTORY, LINE, tokenizer, ROOMY).ids


def test_what_was_said_without_a_known_opening_is_dropped_and_counted(
    log: Log, today: Persona, tokenizer: FakeTokenizer
) -> None:
    del log.turns["t1"]
    log.turns = {"t0": replace(TURN, turn_id="t0", session_id="session of ann"), **log.turns}
    assert rerender(log.selected(), today, tokenizer, ROOMY).dropped == {Unfit.HISTORY_UNKNOWN: 2}


def test_rows_that_prefer_what_is_forbidden_are_among_the_dropped(
    log: Log, tmp_path: Path, tokenizer: FakeTokenizer
) -> None:
    stricter = edited(tmp_path / "stricter", "by the waves", "good iron")
    made = rerender(log.selected(), stricter, tokenizer, ROOMY)
    assert trained(made.snapshot) == ()
    assert made.dropped == {Forbidden.BREAKS_TABOO: 2}
