"""Renders the prompts of stored feedback again, as they would be served today.

A row holds the prompt that its turn was served with. Since then a designer may have edited the
persona, or the base with its tokenizer may have changed. A row of another persona teaches to answer
prompts that never come again, and ids of another tokenizer are noise. So a row whose conversation
renders to other ids today gets those, with the history before its line; one that renders to the
same ids stays as it is.

A row is dropped, and counted, when it cannot be trained on under today's persona: its line no
longer fits, it is unknown which of its messages were said and which were examples, or it prefers
what is `forbidden` (checked for every row: leak words are never rendered, so ids do not show them).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from feedback_store.selection import (
    Edited,
    Labelled,
    Messages,
    Pair,
    RowT,
    Snapshot,
    changed,
    texts,
)
from personas.errors import PromptTooLongError
from personas.kept_history import reply_tokens_set_aside
from personas.persona import Persona
from personas.render import (
    Line,
    Message,
    Prompt,
    Speaker,
    Tokenizer,
    message_ids,
    messages,
    prompt,
    reply_ids,
)
from trainer.rows.forbidden import without_forbidden


class Unfit(StrEnum):
    """Why a row cannot be trained on under today's persona."""

    HISTORY_UNKNOWN = "history_unknown"
    """No first turn of its time is left, so examples and spoken lines cannot be told apart."""
    LINE_TOO_LONG = "line_too_long"
    """The player's line and the longer reply do not fit beside today's persona."""


@dataclass(frozen=True)
class Rerendered:
    """A snapshot as of today. An edit counts twice: as a pair and as a text."""

    snapshot: Snapshot
    rerendered: int  # rows whose prompt changed
    dropped: Mapping[str, int]  # by Unfit or Forbidden


def rerender(
    snapshot: Snapshot, persona: Persona, tokenizer: Tokenizer, max_tokens: int
) -> Rerendered:
    """Render each row's prompt as it would be served with `persona` now.

    A changed prompt leaves room for the row's replies in `max_tokens`; its oldest history goes
    first, by the rule that serving goes by. A snapshot that needs no change is returned itself.
    """
    permitted = without_forbidden(snapshot, persona)
    rerenderer = _Rerenderer(snapshot.openings, persona, tokenizer, max_tokens)
    made = changed(permitted.snapshot, rerenderer)
    dropped = {**permitted.dropped, **rerenderer.dropped}
    return Rerendered(made, rerenderer.rerendered, dict(sorted(dropped.items())))


class _Rerenderer:
    """Rerenders rows one by one, and counts."""

    def __init__(
        self,
        openings: Mapping[str, int],
        persona: Persona,
        tokenizer: Tokenizer,
        max_tokens: int,
    ) -> None:
        self.rerendered = 0
        self.dropped: Counter[str] = Counter()
        self._openings, self._persona = openings, persona
        self._tokenizer, self._max_tokens = tokenizer, max_tokens

    def __call__(self, row: RowT) -> RowT | None:
        made = self._prompt_today(row)
        if isinstance(made, Unfit):
            self.dropped[made] += 1
            return None
        if made is None or made.ids == row.prompt_ids:
            return row
        self.rerendered += 1
        return replace(row, prompt_ids=made.ids, messages=_plain(made.messages))

    def _prompt_today(self, row: Pair | Labelled | Edited) -> Prompt | Unfit | None:
        """The row's prompt today; None = unchanged."""
        if self._is_todays(row):
            return None
        history = _history(row.messages, self._openings.get(row.turn_id))
        if history is None:
            return Unfit.HISTORY_UNKNOWN
        tokenizer = self._tokenizer
        asked = row.messages[-1]["content"]  # with lines before it that nothing was heard to
        said = max(len(reply_ids(text, tokenizer)) for text in texts(row))
        room = self._max_tokens - said
        aside = reply_tokens_set_aside(self._persona.sampling.max_reply_tokens, said)
        usual = self._max_tokens - aside
        try:
            return prompt(self._persona, history, asked, tokenizer, room, usual)
        except PromptTooLongError:
            return Unfit.LINE_TOO_LONG

    def _is_todays(self, row: Pair | Labelled | Edited) -> bool:
        """Whether these very ids could be served today, at any length of the row."""
        *opening, _ = messages(self._persona, (), row.player_text)
        said = [Message(message["role"], message["content"]) for message in row.messages]
        # Examples of an earlier persona must not pass for something that was said.
        same_size = self._openings.get(row.turn_id, len(opening)) == len(opening)
        begins_alike = same_size and said[: len(opening)] == opening
        return begins_alike and message_ids(said, self._tokenizer) == row.prompt_ids


def _history(said: Messages, opening: int | None) -> Sequence[Line] | None:
    """The lines between a row's opening and its last line; None = unknown."""
    if opening is None or opening >= len(said):
        return None
    speakers = {"user": Speaker.PLAYER, "assistant": Speaker.CHARACTER}
    return [Line(speakers[message["role"]], message["content"]) for message in said[opening:-1]]


def _plain(said: Sequence[Message]) -> Messages:
    return tuple({"role": message.role, "content": message.content} for message in said)
