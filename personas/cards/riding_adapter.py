"""An adapter in a CHARX: where it rides, taken out and put in.

    assets/x_troupe_adapter/ai/adapter_model.safetensors    the weights, as PEFT saves them
    assets/x_troupe_adapter/ai/adapter_config.json          beside them
    assets/x_troupe_adapter/ai/manifest.json                what it was trained on, without players

Weights are found below any `assets/TYPE/ai/`, as the spec has it. Others than adapters are assets
like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from personas.adapter_repo import ADAPTER_FILES
from personas.cards.card import Card, Object
from personas.cards.card_files import EMBEDDED
from personas.errors import CardError

HOME = "assets/x_troupe_adapter/ai"
CONFIG, WEIGHTS = ADAPTER_FILES
MANIFEST = "manifest.json"


def take_adapter(card: Card, beside: Path, target: Path) -> tuple[Card, Path | None]:
    """Move the adapter that came beside a card into a folder of its own, if there is any.

    The card no longer names it. Raises CardError for more than one.
    """
    found = [config.parent for config in sorted(beside.glob(f"assets/*/ai/**/{CONFIG}"))]
    if not found:
        return card, None
    if len(found) > 1:
        raise CardError(f"{len(found)} adapters are in the CHARX; a character comes with one")
    (home,) = found
    weights = sorted(home.glob("*.safetensors"))
    if len(weights) != 1:
        raise CardError(
            f"{home.relative_to(beside)}: {len(weights)} weights beside {CONFIG}, not 1"
        )
    target.mkdir()
    moved = {weights[0]: WEIGHTS, home / CONFIG: CONFIG, home / MANIFEST: MANIFEST}
    paths = {f"{EMBEDDED}{file.relative_to(beside).as_posix()}" for file in moved}
    for file, name in moved.items():
        if file.is_file():
            file.rename(target / name)
    return _without_assets(card, paths), target


def with_adapter(card: Card) -> Card:
    """The card with the adapter named among its assets."""
    uri = f"{EMBEDDED}{HOME}/{WEIGHTS}"
    asset = {"type": "x_troupe_adapter", "uri": uri, "name": "adapter", "ext": "safetensors"}
    return card.with_data({"assets": [*(card.data.get("assets") or ()), asset]})


def entries_of(version: Path, manifest: bytes) -> Mapping[str, bytes | Path]:
    """The entries of a CHARX that a version of an adapter becomes."""
    files = {f"{HOME}/{name}": version / name for name in ADAPTER_FILES}
    return {**files, f"{HOME}/{MANIFEST}": manifest}


def _without_assets(card: Card, uris: set[str]) -> Card:
    assets: list[Object] = card.data.get("assets") or []
    rest = [one for one in assets if one.get("uri") not in uris]
    if len(rest) == len(assets):
        return card
    return card.with_data({"assets": rest})
