"""What to say of a name that does not exist: the nearest one there is, and those there are."""

from __future__ import annotations

from collections.abc import Iterable, Set
from difflib import get_close_matches
from pathlib import Path

_MOST_LISTED = 12


def no_such(what: str, name: object, known: Iterable[object]) -> str:
    """`no character 'mria'; known: fenn, mira, orsolo. Did you mean 'mira'?`."""
    return f"no {what} {name!r}{instead_of(name, known)}"


def instead_of(name: object, known: Iterable[object]) -> str:
    """The end of that sentence. A set is listed by name, anything else in its own order."""
    named = sorted(known, key=_order) if isinstance(known, Set) else known
    names = [str(one) for one in named]
    if not names:
        return "; there is none"
    meant = nearest(str(name), names)
    question = f". Did you mean {meant!r}?" if meant else ""
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return f"; known: {', '.join(names[-_MOST_LISTED:])}{more}{question}"


def no_such_file(what: str, path: Path) -> str:
    """`no backup backups/march.db; did you mean backups/2026-march.db?`."""
    beside = path.parent.iterdir() if path.parent.is_dir() else ()
    meant = nearest(path.name, (one.name for one in beside))
    return f"no {what} {path}" + (f"; did you mean {path.with_name(meant)}?" if meant else "")


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like this one, whatever its case; "" = none is like it."""
    by_folded = {one.casefold(): one for one in known}
    folded = name.casefold()
    close = get_close_matches(folded, by_folded, n=1)
    begun = sorted(one for one in by_folded if folded and one.startswith(folded))
    return next((by_folded[one] for one in (*close, *begun)), "")


def _order(name: object) -> tuple[int, str]:
    """Sort key: numbers by what they count."""
    text = str(name)
    return (len(text) if text.isdigit() else 0, text)
