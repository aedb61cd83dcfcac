"""`npc persona import` and `npc persona export`: cards and World Info of other programs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npc_server.commands.command_line import AsJson, ConfigFile, complain, config_of, plural, say
from npc_server.commands.completion import adapter_repo, complete_character
from npc_server.commands.exit_codes import Exit
from npc_server.commands.known_names import cast_of, require_known, require_there
from npc_server.commands.persona_start import cast_folder
from npc_server.config import Config
from npc_server.errors import AdapterMisfitError, ConfigError
from personas.adapter_repo import Manifest
from personas.cards.card import Object, Spec, in_spec
from personas.cards.card_files import require_kind, write_card
from personas.cards.character_export import card_from
from personas.cards.character_import import Staged, admit, staged_character
from personas.cards.draft import Wishes
from personas.cards.remarks import Kind, Remark
from personas.cards.riding_adapter import MANIFEST, entries_of, with_adapter
from personas.cards.stored_card import FOLDER
from personas.cards.strict_json import MAX_BYTES, json_bytes, read_json
from personas.cards.world_folder import (
    admit_world,
    holds_world_info,
    staged_world,
    world_info_from,
)
from personas.errors import CardError
from personas.json_schemas import BESIDE_CHARACTERS, write_schemas
from personas.plain_files import read_plain
from personas.world_files import Worlds

if TYPE_CHECKING:
    from npc_server.commands.adapter_adding import Offer

_HEADINGS = {
    Kind.UNUSED: "Not used, and kept in the card",
    Kind.SHORTENED: "Too long, and whole in the card alone",
    Kind.CHOSEN: "Drawn once",
    Kind.WRITTEN: "Written for you",
}


Root = Annotated[
    Path | None,
    typer.Option("--in", help="Folder of characters; the configured one when left out."),
]


def import_card(
    file: Annotated[Path, typer.Argument(help="A card (JSON, PNG, CHARX) or World Info (JSON).")],
    name: Annotated[
        str, typer.Option(help="The id; made from the name in the file when left out.")
    ] = "",
    player: Annotated[
        str,
        typer.Option(
            help="What {{user}} becomes; when left out, 'the player' where the character is told"
            " of them, and 'stranger' where it speaks to them."
        ),
    ] = "",
    language: Annotated[
        str,
        typer.Option(help="BCP 47 tag of what the character says, where the text is not plain."),
    ] = "",
    adapter: Annotated[
        bool, typer.Option(help="Publish the adapter that a CHARX brings, if it fits the base.")
    ] = True,
    gate: Annotated[
        bool, typer.Option(help="Have that adapter judged, which needs the training packages.")
    ] = True,
    same_base: Annotated[
        bool, typer.Option("--same-base", help="It was made for the served base by another name.")
    ] = False,
    root: Root = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Import a SillyTavern card (V1, V2, V3) as a character, or World Info as a world.

    What the server does not use is listed, and kept: an export brings it back.
    """
    configured = config_of(config_file)
    require_there("file", file)
    config = _with_cast(configured, cast_folder(root, configured))
    with _disk_errors():
        is_world = holds_world_info(file)
    if is_world:
        _import_world(config, file, name, as_json=as_json)
        return
    cast, wishes = config.paths.characters, Wishes(name, player, language)
    with _disk_errors(), staged_character(file, cast, wishes, _worlds(config)) as staged:
        published = _admit(config, staged, file, adapter=adapter, gate=gate, same_base=same_base)
        write_schemas(cast / BESIDE_CHARACTERS)
    _report(staged, cast / staged.persona.id, published, as_json=as_json)


def export_card(
    name: Annotated[
        str,
        typer.Argument(
            help="Character id, such as mira; with --world a world's.",
            autocompletion=complete_character,
        ),
    ],
    to: Annotated[Path, typer.Option("--to", help="The file: .json, .png or .charx.")],
    spec: Annotated[
        Spec | None,
        typer.Option(
            help="v2 or v3; that of the card it came in when left out, or v3.", show_choices=False
        ),
    ] = None,
    adapter: Annotated[
        str, typer.Option(help="A version to put into a CHARX, or `live`.", show_default=False)
    ] = "",
    world: Annotated[
        bool, typer.Option("--world", help="Export the world of that name as World Info.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file.")] = False,
    root: Root = None,
    config_file: ConfigFile = None,
) -> None:
    """Export a character as a SillyTavern card, or a world as World Info.

    One that came in a card goes out in it, with what you changed since. The files themselves ride
    in the card where it alone would not bring them back; secrets and their truths are among them.
    """
    configured = config_of(config_file)
    if root is not None:
        require_there("folder", root)
    config = _with_cast(configured, root or configured.paths.characters)
    _require_writable(to, overwrite)
    if world:
        _export_world(config, name, to)
    else:
        _export_character(config, name, to, _known_spec(spec), adapter)
    say(f"{name}: written to {to}")


def _export_character(
    config: Config, character: str, to: Path, spec: Spec | None, adapter: str
) -> None:
    require_known("character", character, cast_of(config))
    folder = config.paths.characters / character
    card = card_from(folder, spec, _worlds(config))
    extra: dict[str, bytes | Path] = {}
    if adapter:
        if require_kind(to) != ".charx":
            raise ConfigError(f"--adapter: an adapter rides in a .charx alone, not in {to.name}")
        card = with_adapter(in_spec(card, Spec.V3))
        extra |= _adapter_entries(config, character, adapter)
    _write_whole(to, lambda file: write_card(file, card, folder / FOLDER, extra))


def _export_world(config: Config, world: str, to: Path) -> None:
    if require_kind(to) != ".json":
        raise ConfigError(f"--world: World Info is JSON; let the name of {to} end with .json")
    worlds = _worlds(config).root
    known = [one.name for one in worlds.iterdir() if one.is_dir()] if worlds.is_dir() else []
    require_known("world", world, known)
    info = world_info_from(worlds / world)
    _write_whole(to, lambda file: file.write_bytes(json_bytes(info.content)))


def _worlds(config: Config) -> Worlds:
    return config.paths.worlds_of(config.paths.characters)


def _import_world(config: Config, file: Path, name: str, *, as_json: bool) -> None:
    worlds = _worlds(config).root
    with _disk_errors(), staged_world(file, worlds, name) as staged:
        home = admit_world(staged, worlds)
        write_schemas(worlds / BESIDE_CHARACTERS)
    world = staged.world
    if as_json:
        said = {"id": world.id, "name": world.card.name, "folder": str(home)}
        _print_json(said | {"version": world.version, "remarks": list(map(asdict, staged.remarks))})
        return
    entries = plural(len(world.entries), "entry").replace("entrys", "entries")
    say(f"{world.id}: {world.card.name}, a world of {entries}, imported to {home}")
    _say_remarks(staged.remarks)
    say(f"Its lore is told to every character whose persona.yaml says  world: {world.id}")


def _print_json(said: Mapping[str, object]) -> None:
    print(json.dumps(said, indent=2, ensure_ascii=False))


def _say_remarks(remarks: Iterable[Remark]) -> None:
    listed = list(remarks)
    for kind, heading in _HEADINGS.items():
        if told := [one for one in listed if one.kind is kind]:
            say(f"{heading}:")
            for remark in told:
                say(f"  {remark}")


def _known_spec(spec: Spec | None) -> Spec | None:
    if spec is Spec.V1:
        raise ConfigError("--spec: cards are written as v2 or v3")
    return spec


def _require_writable(to: Path, overwrite: bool) -> None:
    """Raise ConfigError, or CardError for an unknown kind, before anything is read."""
    require_kind(to)
    require_there("folder", to.absolute().parent)
    if to.exists() and not overwrite:
        raise ConfigError(f"{to} is there already; replace it with --overwrite")


def _write_whole(to: Path, write: Callable[[Path], object]) -> None:
    """Have a file written beside its place, so that it is there whole or not at all."""
    beside = to.with_name(f".{os.getpid()}-{to.name}")
    with _disk_errors():
        try:
            write(beside)
            beside.replace(to)
        finally:
            beside.unlink(missing_ok=True)


def _adapter_entries(config: Config, character: str, named: str) -> Mapping[str, bytes | Path]:
    """What a version adds to a CHARX; its manifest without the players it learned from."""
    repo = adapter_repo(config, heads=False)
    version = repo.aliases(character).live if named == "live" else named
    if version is None:
        raise ConfigError(f"--adapter live: {character} speaks with the bare base")
    require_known(f"version of {character}", version, [v.version for v in repo.versions(character)])
    manifest = replace(repo.verify(character, version), players=())
    text = json.dumps(asdict(manifest), indent=2, sort_keys=True).encode()
    return entries_of(repo.path(character, version), text)


def _with_cast(config: Config, root: Path) -> Config:
    """The configuration with another folder of characters."""
    paths = config.paths.model_copy(update={"characters": root})
    return config.model_copy(update={"paths": paths})


@contextmanager
def _disk_errors() -> Iterator[None]:
    """What the disk refuses, as an error with the file."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise
        raise CardError(f"{error.filename}: {error.strerror}; nothing was changed") from error


def _admit(
    config: Config, staged: Staged, file: Path, *, adapter: bool, gate: bool, same_base: bool
) -> Manifest | None:
    """Make the character one of the cast, and publish its adapter; both, or nothing."""
    cast = config.paths.characters
    if staged.adapter is None or not adapter:
        admit(staged, cast)
        return None
    offer = _offer(config, staged.adapter, file, gate=gate, same_base=same_base)
    home = admit(staged, cast)
    try:
        return _publish(config, staged, offer)
    except BaseException:
        shutil.rmtree(home)
        raise


def _offer(config: Config, folder: Path, file: Path, *, gate: bool, same_base: bool) -> Offer:
    """The adapter as it is offered. Raises AdapterMisfitError where it is of another base."""
    from npc_server.commands import adapter_adding as adding

    said = _manifest_in(folder)
    served = adding.served_base(config)
    fits = same_base or said.get("base_sha256") == served.sha256
    if not fits and (doubt := adding.base_doubt(folder, served)):
        raise AdapterMisfitError(
            f"nothing was imported: {doubt}. Import the character alone with --no-adapter, or, if"
            " it is the same model by another name, say so with --same-base"
        )
    source = str(said.get("source") or f"{file.name}, {said.get('version', 'without a manifest')}")
    return adding.Offer(folder, source, str(said.get("license") or "as the card"), gate, fits)


def _publish(config: Config, staged: Staged, offer: Offer) -> Manifest:
    from npc_server.commands import adapter_adding as adding

    added = adding.ensure_published(config, staged.persona, adapter_repo(config, False), offer)
    if added.version is None:
        complain(
            f"nothing was imported: the adapter was not published: {added.why_not}. Import the"
            " character alone with --no-adapter"
        )
        raise typer.Exit(Exit.REFUSED if added.rejected else Exit.MISSING)
    return added.version


def _manifest_in(folder: Path) -> Object:
    """What the adapter's manifest says; nothing where there is none that can be read."""
    file = folder / MANIFEST
    if not file.is_file():
        return {}
    value = read_json(read_plain(file, MAX_BYTES), f"{MANIFEST} of the adapter")
    return value if isinstance(value, dict) else {}


def _report(staged: Staged, home: Path, published: Manifest | None, *, as_json: bool) -> None:
    persona = staged.persona
    if as_json:
        said = {
            "id": persona.id,
            "name": persona.name,
            "folder": str(home),
            "version": persona.version,
            "adapter": published.version if published else None,
            "remarks": [asdict(one) for one in staged.remarks],
        }
        _print_json(said)
        return
    say(f"{persona.id}: {persona.name}, imported to {home}, version {persona.version}")
    _say_remarks(staged.remarks)
    if published:
        say(f"{persona.id}: adapter {published.version} published, not live")
    say(f"Look at it:  npc persona check    Speak with it:  npc talk {persona.id}")
