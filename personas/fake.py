"""A tokenizer for tests: one id per byte, plus special tokens."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from personas.chat_ids import CHATML_MARKS

END = "<|endoftext|>"


@dataclass(frozen=True)
class FakeSpecial:
    """Implements `personas.chat.Special`."""

    id: int
    spelling: str
    control: bool = True
    strips_before: bool = False
    strips_after: bool = False


class FakeTokenizer:
    """Implements `personas.chat.Tokenizer`; lossless, so tests can read ids back.

    Without a template of its own, and with the usual marks, it is a tokenizer of ChatML.
    """

    thoughts = (("<think>", "</think>"),)

    def __init__(
        self,
        chat_template: str = "",
        marks: Sequence[str] = CHATML_MARKS,
        *,
        own_marks: Sequence[str] = (),
        adds_bos: bool = False,
        thinks: bool = False,
    ) -> None:
        """`marks`: spellings of special tokens, beside that of BOS and EOS, which has id 0.

        `own_marks`: those of special tokens that are no control tokens.
        """
        self.chat_template = chat_template
        spelled = (END, *marks, *own_marks)
        self.specials = tuple(
            FakeSpecial(i, spelling, spelling not in own_marks)
            for i, spelling in enumerate(spelled)
        )
        self.adds_bos, self.thinks = adds_bos, thinks
        self.bos: int | None = 0
        self.eos: int | None = 0
        self._first_byte = len(self.specials)

    @property
    def size(self) -> int:
        """Ids are below this."""
        return self._first_byte + 256

    def encode(self, text: str) -> list[int]:
        """Plain text to ids, one per UTF-8 byte."""
        return [self._first_byte + byte for byte in text.encode()]

    def control(self, spelling: str) -> int:
        """The id of a special token; KeyError for any other text."""
        return {special.spelling: special.id for special in self.specials}[spelling]

    def decode(self, ids: Iterable[int]) -> str:
        """Back to text, special tokens spelled out."""
        return b"".join(map(self._bytes, ids)).decode(errors="replace")

    def _bytes(self, identifier: int) -> bytes:
        if identifier < self._first_byte:
            return self.specials[identifier].spelling.encode()
        return bytes([identifier - self._first_byte])
