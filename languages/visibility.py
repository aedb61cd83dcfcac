"""What a reader sees of a text, and which signs no text may hold. Pure; the one rule for both.

A text is empty when nothing of it can be seen: blanks, signs without width, fillers, and marks
without anything to stand on.

Some signs are in no text. Control characters command terminals and cut strings short. Overrides of
direction show another text than the one that is there. Tags and runs of variation selectors carry
messages that the model reads and nobody sees. Signs that writing needs stay: the joiners of
Persian, Indic scripts and emoji, one selector behind a sign, the tags of a flag, marks of
direction, breaks.

What a player types loses such signs: nobody would miss them, and the player could not find what to
correct. Where an author or a program wrote them it is a fault, which they can put right. Names, ids
and words to look for must show all that they hold, since they are compared: there a sign without
width is a fault, too, unless it shapes the one before it.
"""

import re
import unicodedata

_JOINERS = "\u200c\u200d"
_SELECTORS = "\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
#: Takes no room on a page, as the inside of a character class.
UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
#: Takes room and shows nothing.
_BLANK = "\u2800\U0001d159"
_PLANE_ENDS = "".join(f"{chr(p << 16 | 0xFFFE)}{chr(p << 16 | 0xFFFF)}" for p in range(17))
_IN_NO_TEXT = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f"  # controls, but tab and the ends of a line
    "\u202a-\u202e\u2066-\u2069"  # overrides and embeddings of direction
    "\u206a-\u206f\ufff9-\ufffb\U000e0000-\U000e00ff"  # withdrawn controls, annotations, tags
    f"\ud800-\udfff\ufdd0-\ufdef{_PLANE_ENDS}"  # no characters
)
_FLAG = "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{2,6}\U000e007f"  # of a region

_NOT_SHOWN = re.compile(rf"[\s{UNSEEN}{_BLANK}{_IN_NO_TEXT}]")
_TAKES_NO_ROOM = re.compile(f"[{UNSEEN}]")
_MARKS = ("Mn", "Me")
_UNWANTED = re.compile(f"(?P<flag>{_FLAG})|[{_IN_NO_TEXT}]|(?<=[{_SELECTORS}])[{_SELECTORS}]")
_HIDDEN = re.compile(
    f"(?P<flag>{_FLAG})|(?P<shape>(?<=[^\\s{UNSEEN}])[{_JOINERS}{_SELECTORS}]+)|[{UNSEEN}{_BLANK}]"
)


def is_visible(text: str) -> bool:
    """Whether a reader can see anything of the text."""
    if _is_plain(text):
        return text.strip(" ") != ""
    return any(map(_shows, text))


def is_unseen(sign: str) -> bool:
    """Whether a sign takes no room on a page."""
    return _TAKES_NO_ROOM.match(sign) is not None


def without_unwanted(text: str) -> str:
    """The text without the signs that are in no text."""
    if _is_plain(text):
        return text
    return _UNWANTED.sub(lambda found: found["flag"] or "", text)


def unwanted_sign(text: str) -> str:
    """The first sign of the text that is in none, as people look it up; "" = there is none."""
    if _is_plain(text):
        return ""
    found = (one for one in _UNWANTED.finditer(text) if not one["flag"])
    return next((_description_of(one[0]) for one in found), "")


def hidden_sign(label: str) -> str:
    """The first sign that a label holds and does not show; "" = there is none."""
    if _is_plain(label):
        return ""
    if sign := unwanted_sign(label):
        return sign
    found = (one for one in _HIDDEN.finditer(label) if not one["flag"] and not one["shape"])
    return next((_description_of(one[0]) for one in found), "")


def _is_plain(text: str) -> bool:
    """Whether a text is of ASCII's letters, digits, signs and blanks: most are, and show all."""
    return text.isascii() and text.isprintable()


def _shows(sign: str) -> bool:
    return not _NOT_SHOWN.match(sign) and unicodedata.category(sign) not in _MARKS


def _description_of(sign: str) -> str:
    """Number and name of a sign: `U+202E RIGHT-TO-LEFT OVERRIDE`."""
    return f"U+{ord(sign):04X} {unicodedata.name(sign, 'CONTROL CHARACTER')}"
