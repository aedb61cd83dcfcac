"""Which rows cannot teach, each judged by itself."""

import math

from feedback_store.privacy.redaction import has_placeholder
from feedback_store.selection.lessons import Drop, Labelled, Origin, Pair
from feedback_store.selection.near_text import near_equal, normalised
from languages.visibility import is_visible

MAX_LENGTH_RATIO = 2.5  # in characters; above it a choice teaches length rather than voice


def fault(row: Pair | Labelled) -> Drop | None:
    """Why a row cannot teach, or None."""
    match row:
        case Labelled(completion=completion, desirable=desirable):
            if not _says_something(completion):
                return Drop.EMPTY_CHOSEN
            return Drop.PLACEHOLDER if desirable and has_placeholder(completion) else None
        case Pair(chosen=chosen, rejected=rejected, origin=origin):
            if not _says_something(chosen):
                return Drop.EMPTY_CHOSEN
            return _pair_fault(normalised(chosen), normalised(rejected), origin)


def _says_something(reply: str) -> bool:
    """Whether a reader can see anything of it, and there is something to compare it by."""
    return is_visible(normalised(reply))  # an accent without a letter is compared as a blank


def _pair_fault(chosen: str, rejected: str, origin: Origin) -> Drop | None:
    if has_placeholder(chosen):
        return Drop.PLACEHOLDER
    if chosen == rejected:
        return Drop.EQUAL
    if near_equal(chosen, rejected):
        return Drop.NEAR_EQUAL
    # An edit that cuts is the strongest signal there is: only two replies of the character are
    # compared by length.
    if origin is not Origin.EDIT and _length_ratio(chosen, rejected) > MAX_LENGTH_RATIO:
        return Drop.LENGTH_RATIO
    return None


def _length_ratio(one: str, other: str) -> float:
    shorter, longer = sorted((len(one), len(other)))
    return longer / shorter if shorter else math.inf
