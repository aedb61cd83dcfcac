"""Which exchanges of a long conversation stay in the prompt. Pure.

The model's keys and values hold for a beginning of the prompt, so a prompt is cheap when it begins
as an earlier one did. If the oldest exchange went whenever there was no room for a new one, no
prompt would begin so again. Therefore much goes at once, down to a part of the room, and then
nothing for several turns.

The exchange that a prompt begins with follows from the history alone: room for the next line and
its reply is set aside before either is known. So it is known as soon as a reply has ended, and is
the same whether it is computed while a conversation grows, after it was restored, or from the part
that was left of it. Only a line longer than what is set aside takes further exchanges with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

#: Set aside for the player's next line, with its turn marks.
LINE_TOKENS = 64
#: The same at most, as a share of the room for history and line.
_LINE_SHARE = 0.25
#: Share of the room for history that is still in use after exchanges went.
KEPT_SHARE = 0.5
#: Replies longer than a character's own are set aside in these steps, so that calls that ask for
#: about as much begin alike.
REPLY_STEP_TOKENS = 128


@dataclass(frozen=True)
class Room:
    """Tokens that history and the player's line may have together."""

    most: int  # in this prompt
    usual: int  # in the prompts of this conversation; what history is measured by

    @property
    def history(self) -> int:
        """Tokens that history may have before some of it goes."""
        return self.usual - int(min(LINE_TOKENS, max(self.usual, 0) * _LINE_SHARE))


def reply_tokens_set_aside(own: int, asked: int) -> int:
    """Tokens set aside for the reply of a character that says at most `own`, `asked` for more."""
    return own if asked <= own else -(-asked // REPLY_STEP_TOKENS) * REPLY_STEP_TOKENS


def first_kept(exchanges: Sequence[int], line: int, room: Room) -> int:
    """The index of the first exchange that stays in the prompt; all after it stay.

    `exchanges` are their tokens, the oldest first, and `line` those of the player's line, 0 when it
    is not known yet. It never goes back while a conversation grows, unless a longer line came
    between.
    """
    start = used = 0
    for end, tokens in enumerate(exchanges, 1):
        used += tokens
        if used > room.history:
            start, used = _after_drop(exchanges, start, end, used, room.history)
    if used + line > room.most:
        start, used = _after_drop(exchanges, start, len(exchanges), used, room.most - line)
    return start


def _after_drop(
    exchanges: Sequence[int], start: int, end: int, used: int, most: int
) -> tuple[int, int]:
    """Drop exchanges until a part of `most` is used; the newest one stays if it fits alone."""
    while start < end and used > (most * KEPT_SHARE if start < end - 1 else most):
        used -= exchanges[start]
        start += 1
    return start, used
