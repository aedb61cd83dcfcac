"""Limits of what one call may carry, and their checks. Pure."""

from __future__ import annotations

from npc_server.errors import InvalidRequestError

MAX_LINE_CHARACTERS = 2000
MAX_ID_CHARACTERS = 128
MAX_TAKES = 100  # per choice
MAX_EVENTS_PER_MESSAGE = 256
MAX_EVENTS_PER_CALL = 10_000


def check_text(field: str, text: str) -> str:
    """Return `text` if it is not blank and has at most MAX_LINE_CHARACTERS.

    Raises InvalidRequestError, which names `field`.
    """
    return _check(field, text, MAX_LINE_CHARACTERS)


def check_id(field: str, value: str) -> str:
    """Return the id `value` if it is not blank and has at most MAX_ID_CHARACTERS.

    Raises InvalidRequestError, which names `field`.
    """
    return _check(field, value, MAX_ID_CHARACTERS)


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
    if not value.strip():
        raise InvalidRequestError(f"{field} is empty")
    if len(value) > most_characters:
        raise InvalidRequestError(
            f"{field} has {len(value)} characters; at most {most_characters} are allowed"
        )
    return value
