"""Which versions, of voices and reward heads, learned from one player, and what to do about it.

A base that was trained from players may have learned too, and so has every version that was trained
on from one that did.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from personas.adapter_repo import AdapterRepo, Manifest
from personas.authored_fields import ID_PATTERN
from personas.base_repo import BaseManifest, BaseRepo


@dataclass(frozen=True)
class TaughtVersion:
    """A version that learned from the player."""

    character: str
    version: str
    live: bool
    inherited: bool  # from the version or base it was trained on, not from the player's own rows
    instead: str  # newest version of the character that did not; "" = only the bare base
    is_head: bool = False  # it chooses between replies and speaks none


def find_versions(
    adapters: Path, heads: Path, bases: Sequence[BaseManifest], player_id: str
) -> tuple[TaughtVersion, ...]:
    """The versions of all characters that learned from the player, as `bases` did.

    Raises AdapterRepoError.
    """
    tainted = {base.sha256 for base in bases}
    return (
        *_find_in(adapters, player_id, tainted, are_heads=False),
        *_find_in(heads, player_id, tainted, are_heads=True),
    )


def find_bases(root: Path, player_id: str) -> tuple[BaseManifest, ...]:
    """The bases that learned from the player. Raises CorruptBaseError."""
    return tuple(base for base in BaseRepo(root).bases() if player_id in base.draft.players)


def _find_in(
    root: Path, player_id: str, bases: Set[str], are_heads: bool
) -> Iterator[TaughtVersion]:
    folders = root.iterdir() if root.is_dir() else ()
    repo = AdapterRepo(root)
    for name in sorted(entry.name for entry in folders if re.fullmatch(ID_PATTERN, entry.name)):
        versions, live = repo.versions(name), repo.aliases(name).live
        yield from taught_versions(player_id, versions, live, are_heads, bases)


def taught_versions(
    player_id: str,
    versions: Iterable[Manifest],
    live: str | None,
    are_heads: bool = False,
    bases: Set[str] = frozenset(),
) -> tuple[TaughtVersion, ...]:
    """The versions of one character, oldest first, that learned from the player.

    `bases`, by sha256, are those that did.
    """
    manifests = tuple(versions)
    tainted = _taught_names(player_id, manifests, bases)
    clean = [one.version for one in manifests if one.version not in tainted]
    return tuple(
        TaughtVersion(
            character=one.character,
            version=one.version,
            live=one.version == live,
            inherited=player_id not in one.players,
            instead=clean[-1] if clean else "",
            is_head=are_heads,
        )
        for one in manifests
        if one.version in tainted
    )


def advice(taught: Sequence[TaughtVersion], bases: Sequence[BaseManifest] = ()) -> list[str]:
    """What an operator should know and do, one line each."""
    if not taught and not bases:
        return ["No adapter version learned from this player"]
    lines = [*map(_line, taught), *map(_base_line, bases)]
    return [*lines, *(_remedy(one) for one in taught if one.live)]


def _base_line(base: BaseManifest) -> str:
    return (
        f"Base {base.name} learned from this player: make another with npc model train, train every"
        " character on that one, and remove this one"
    )


def _taught_names(player_id: str, manifests: Iterable[Manifest], bases: Set[str]) -> set[str]:
    tainted: set[str] = set()
    for one in manifests:  # a parent is older than its children
        if player_id in one.players or one.parent in tainted or one.base_sha256 in bases:
            tainted.add(one.version)
    return tainted


def _line(one: TaughtVersion) -> str:
    how = "was trained on from one that learned" if one.inherited else "learned"
    name = f"{one.character}{' reward head' if one.is_head else ''} {one.version}"
    return f"{name}{', live now,' if one.live else ''} {how} from this player"


def _remedy(one: TaughtVersion) -> str:
    heads, nothing = (" --heads", "no head") if one.is_head else ("", "the bare base")
    back = (
        f"npc adapters promote {one.character} {one.instead}{heads}"
        if one.instead
        else f"npc adapters rollback {one.character}{heads}, until {nothing} is live"
    )
    return (
        f"To take it out of {one.character}: {back}; then npc train {one.character} trains a new "
        "version from the remaining rows"
    )
