"""Limits of what one call may carry, and their checks. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from languages.visibility import hidden_sign, is_visible, unwanted_sign, without_unwanted
from npc_server.errors import InvalidRequestError, UnknownCharacterError
from personas.known_names import no_such

MAX_LINE_CHARACTERS = 2000
MAX_ID_CHARACTERS = 128
MAX_NOTE_CHARACTERS = 1000  # of a game, for a character
MAX_REPORT_CHARACTERS = 500  # of what came of an action
MAX_TAKES = 100  # per choice
MAX_CHARACTERS = 64  # that stand by and hear
MAX_EVENTS_PER_MESSAGE = 256
MAX_EVENTS_PER_CALL = 10_000


def check_text(field: str, text: str) -> str:
    """Return what a player said or wrote, without signs that are in no text.

    Raises InvalidRequestError, which names `field`, if nothing of it can be seen or it has more
    than MAX_LINE_CHARACTERS.
    """
    return _check(field, without_unwanted(text), MAX_LINE_CHARACTERS)


def check_short_text(field: str, text: str, most_characters: int) -> str:
    """Return something that a game tells, in one line, without signs that are in no text.

    Raises InvalidRequestError, which names `field`, if nothing of it can be seen or it is longer.
    """
    return " ".join(_check(field, without_unwanted(text), most_characters).split())


def check_count(field: str, count: int, most: int) -> None:
    """Refuse a count that is not 1 to `most`. Raises InvalidRequestError."""
    if not 1 <= count <= most:
        raise InvalidRequestError(f"{field} is {count}; ask for 1 to {most}")


def check_report(field: str, text: str) -> str:
    """Return what a game reports on one line, without signs that are in no text; "" = nothing.

    Raises InvalidRequestError, which names `field`, beyond MAX_REPORT_CHARACTERS.
    """
    told = " ".join(without_unwanted(text).split())
    return _check(field, told, MAX_REPORT_CHARACTERS) if is_visible(told) else ""


def check_id(field: str, value: str) -> str:
    """Return the id `value`.

    Raises InvalidRequestError, which names `field`, if it is empty, has more than
    MAX_ID_CHARACTERS, or holds a sign that does not show: ids that look alike must be the same.
    """
    if is_visible(value) and (sign := hidden_sign(value)):
        raise InvalidRequestError(f"{field} holds {sign}, which does not show; leave it out")
    return _check(field, value, MAX_ID_CHARACTERS)


def check_characters(field: str, ids: Sequence[str], known: Collection[str]) -> tuple[str, ...]:
    """Return the ids of characters, each once.

    Raises InvalidRequestError, which names `field`, for more than MAX_CHARACTERS, and
    UnknownCharacterError for one that is not in the cast.
    """
    if len(ids) > MAX_CHARACTERS:
        raise InvalidRequestError(f"{field} holds {len(ids)} ids; at most {MAX_CHARACTERS} hear")
    for one in ids:
        if check_id(field, one) not in known:
            raise UnknownCharacterError(f"{field}: {no_such('character', one, set(known))}")
    return tuple(dict.fromkeys(ids))


def check_stop_text(field: str, text: str) -> str:
    """Return `text`, which may be blank.

    Raises InvalidRequestError, which names `field`, for a sign that is in no text.
    """
    if sign := unwanted_sign(text):
        raise InvalidRequestError(f"{field} holds {sign}, which no reply holds; leave it out")
    return text


def check_events(in_message: int, in_call: int) -> None:
    """Refuse a message, or a call, with too many events. Raises InvalidRequestError."""
    if not 1 <= in_message <= MAX_EVENTS_PER_MESSAGE:
        raise InvalidRequestError(
            f"a message holds {in_message} events; send 1 to {MAX_EVENTS_PER_MESSAGE} in each"
        )
    if in_call > MAX_EVENTS_PER_CALL:
        raise InvalidRequestError(
            f"the call has more than {MAX_EVENTS_PER_CALL} events; begin another call. The events"
            " of earlier messages are stored: sending them again is safe"
        )


def _check(field: str, value: str, most_characters: int) -> str:
    if not is_visible(value):
        raise InvalidRequestError(f"{field} is empty")
    if len(value) > most_characters:
        raise InvalidRequestError(
            f"{field} has {len(value)} characters; at most {most_characters} are allowed"
        )
    return value
