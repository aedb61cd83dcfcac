"""What a reply may go on with, beside what a model makes likely. Pure.

Not with phrases that were said before, but for a share of them; not with all that an earlier short
line was; not with the name of a speaker and a colon; and it ends where a sentence does.
"""

from __future__ import annotations

from enum import Enum

from npc_server.engine.sampling.reply_end import ReplyEnd
from npc_server.engine.sampling.said_phrases import SaidPhrases
from npc_server.engine.sampling.speaker_names import SpeakerNames


class Verdict(Enum):
    """What to make of a token that was drawn."""

    FITS = "it is said"
    ANOTHER = "another is drawn"
    GO_ON = "the reply does not end here"
    MARK = "a mark ends the sentence first"


class ReplyRules:
    """Follows one reply; what does not apply to it is None."""

    def __init__(
        self,
        phrases: SaidPhrases | None = None,
        end: ReplyEnd | None = None,
        speakers: SpeakerNames | None = None,
    ) -> None:
        self._phrases, self._end, self._speakers = phrases, end, speakers

    @property
    def push_to_mark(self) -> float:
        """What to add to the logits of marks that end a sentence."""
        return self._end.push_to_mark if self._end else 0.0

    @property
    def takes_mark(self) -> bool:
        """Whether a mark could end a sentence here."""
        return self._end is not None and self._end.takes_mark

    def ends_sentence(self, piece: str) -> bool:
        """Whether a sentence is whole behind this text."""
        return self._end is not None and self._end.ends_sentence(piece)

    def judge(self, piece: str) -> Verdict:
        """What to make of a token of this text."""
        if self._says_again(piece) or (self._speakers and self._speakers.lets_speak(piece)):
            return Verdict.ANOTHER
        if self._end is None or self._end.leaves_room(piece):
            return Verdict.FITS
        return Verdict.MARK if self._end.is_last else Verdict.ANOTHER

    def judge_end(self) -> Verdict:
        """What to make of an end of the reply."""
        if self._phrases and self._phrases.all_said:
            return Verdict.GO_ON
        if self._end and not self._end.may_end():
            return Verdict.MARK if self._end.takes_mark else Verdict.GO_ON
        return Verdict.FITS

    def add(self, piece: str) -> None:
        """Go on with a token of this text."""
        if self._phrases:
            self._phrases.add(piece)
        if self._end:
            self._end.add(piece)
        if self._speakers:
            self._speakers.add(piece)

    def _says_again(self, piece: str) -> bool:
        if self._phrases is None:
            return False
        if self._phrases.refuses(piece):
            return True
        return self._phrases.all_said and ("\n" in piece or self.ends_sentence(piece))
