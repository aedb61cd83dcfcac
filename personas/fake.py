"""A tokenizer for tests: one id per byte, plus the control tokens of ChatML."""

from collections.abc import Iterable

from personas.render import START, STOP

_CONTROL = {"<|endoftext|>": 0, START: 1, STOP: 2}
_SPELLING = {identifier: spelling for spelling, identifier in _CONTROL.items()}
_FIRST_BYTE = len(_CONTROL)


class FakeTokenizer:
    """Implements `personas.render.Tokenizer`; lossless, so tests can read ids back."""

    size = _FIRST_BYTE + 256  # ids are below this
    beginning: tuple[int, ...] = ()
    before_reply: tuple[int, ...] = ()

    def encode(self, text: str) -> list[int]:
        """Plain text to ids, one per UTF-8 byte."""
        return [_FIRST_BYTE + byte for byte in text.encode()]

    def control(self, spelling: str) -> int:
        """The id of a control token; KeyError for any other text."""
        return _CONTROL[spelling]

    def decode(self, ids: Iterable[int]) -> str:
        """Back to text, control tokens spelled out."""
        return b"".join(_bytes(identifier) for identifier in ids).decode(errors="replace")


def _bytes(identifier: int) -> bytes:
    if identifier in _SPELLING:
        return _SPELLING[identifier].encode()
    return bytes([identifier - _FIRST_BYTE])
