"""Which tokens go on with a word that the token before them began."""

from __future__ import annotations

#: Scripts without blanks between words: any of their letters may begin one. (first, last)
_UNSPACED = (
    ("\u0e00", "\u0eff"),  # Thai, Lao
    ("\u1000", "\u109f"),  # Burmese
    ("\u1780", "\u17ff"),  # Khmer
    ("\u2e80", "\ua4cf"),  # Chinese and Japanese
    ("\uf900", "\ufaff"),
    ("\uff66", "\uff9f"),
    ("\U00020000", "\U0003ffff"),
)


def is_unspaced(character: str) -> bool:
    """Whether a character belongs to a script without blanks between words."""
    return any(first <= character <= last for first, last in _UNSPACED)


def goes_on_with_a_word(piece: bytes) -> bool:
    """Whether a token begins with a letter or digit and no blank, or in the midst of a character.

    A token of half a character counts as the character's beginning if it has its first byte.
    """
    if not piece or 0x80 <= piece[0] < 0xC0:
        return bool(piece)
    first = piece.decode("utf-8", "ignore")[:1]
    if not first or is_unspaced(first):
        return False
    return first.isalnum()
