"""`npc model add` and `remove`: names of bases, and what lies here under them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from npc_server.base_models import resolution
from npc_server.base_models.catalogue import CATALOGUE, NamedModel, require_name
from npc_server.base_models.errors import InvalidModelError, ModelUnavailableError
from npc_server.base_models.gguf_file import require_gguf
from npc_server.base_models.hub import Hub, pinned_model
from npc_server.base_models.model_files import (
    choice_path,
    file_sha256,
    files_here,
    model_folder,
)
from npc_server.base_models.sources import HUB_SCHEME, FileSource, hub_source
from npc_server.commands.command_line import (
    ConfigFile,
    Yes,
    complaints,
    config_of,
    confirm,
    plural,
    say,
    work_progress,
)
from npc_server.commands.known_names import require_there
from npc_server.commands.models.named_models import (
    bases_trained_on,
    names_hinted,
    records,
    require_model,
)
from npc_server.config import Config
from npc_server.engine.errors import ModelLoadError
from npc_server.engine.vocab import Vocab
from npc_server.errors import ConfigError

_MIB = 1 << 20


def add(
    name: Annotated[str, typer.Argument(help="Name to give it, such as town-7b.")],
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE|hf:OWNER/REPO/FILE[@REVISION]",
            help="A GGUF of this machine, used where it lies; or one of a hub, at a commit, branch"
            " or tag, the newest when left out. Which file that is, is written down: a later pull"
            " fetches the very same.",
        ),
    ],
    config_file: ConfigFile = None,
) -> None:
    """Give a name to a base model of your own, or of a hub, for [model] base and --base."""
    config = config_of(config_file)
    require_name(name)
    _require_free(name, config)
    if source.startswith(HUB_SCHEME):
        model = _hub_model(name, source)
        records(config).record(model)
        say(f"{name} is {model.source}, {model.size_bytes / _MIB:,.0f} MiB")
        say(f"Fetch it with: {model.pull_command}")
    else:
        model = _file_model(name, Path(source).expanduser().absolute())
        records(config).record(model)
        say(f"{name} is {source}; look at it with: npc model check {name}")


def _require_free(name: str, config: Config) -> None:
    if name in resolution.names(config.paths.models):
        listed = " (the catalogue has it)" if name in CATALOGUE else ""
        raise ConfigError(
            f"there is a model named {name}{listed}; choose another name"
            + ("" if listed else f", or first: npc model remove {name}")
        )


def _hub_model(name: str, reference: str) -> NamedModel:
    source, hub = hub_source(reference), Hub()
    with names_hinted():
        stated = hub.describe(source)
        return pinned_model(NamedModel(name, source, license=hub.license_of(source)), stated)


def _file_model(name: str, path: Path) -> NamedModel:
    require_there("GGUF file", path)
    require_gguf(path)
    _require_loadable(path)
    with work_progress(complaints) as report:
        sha256 = file_sha256(path, report)
    return NamedModel(name, FileSource(path), sha256, path.stat().st_size)


def _require_loadable(path: Path) -> None:
    """Raise InvalidModelError for a vocabulary or an architecture that llama.cpp does not know."""
    try:
        Vocab(path).close()
    except ModelLoadError as error:
        raise InvalidModelError(str(error)) from error


def remove(
    name: Annotated[str, typer.Argument(help="Name, as `npc model list` shows it.")],
    yes: Yes = False,
    config_file: ConfigFile = None,
) -> None:
    """Delete what was fetched and made of a base model, and forget the name if you gave it.

    A file that was added by its path stays where it is. What the catalogue names can be pulled
    again.
    """
    config = config_of(config_file)
    model = _removable(name, config)
    paths = _made_here(model, config.paths.cache) if model else []
    if not paths and name not in records(config).names():
        say(f"nothing of {name} is here")
        return
    size = f"{sum(map(_size, paths)) / _MIB:,.0f} MiB"
    question = f"Remove {name}, {plural(len(paths), 'file')}, {size}?"
    confirm(yes, question + _loss(model, config))
    for path in paths:
        _delete(path)
    records(config).forget(name)
    say(f"{name} is removed")


def _removable(name: str, config: Config) -> NamedModel | None:
    """The model; None when its record is damaged, which removing puts right."""
    try:
        model = require_model(name, config)
    except ModelUnavailableError:
        return CATALOGUE.get(name)
    own = config.paths.bases / name
    if isinstance(model.source, FileSource) and model.source.path.is_relative_to(own):
        raise ConfigError(
            f"{name} was trained here and cannot be fetched again, and adapters may fit nothing"
            f" else; if you mean it, delete {own} yourself"
        )
    return model


def _made_here(model: NamedModel, cache: Path) -> list[Path]:
    """What a model has in the cache: fetched, made from it, half fetched, unpacked to train on."""
    folder = model_folder(model, cache)
    found = {path for path in files_here(model, cache).values() if path.is_relative_to(cache)}
    found |= {path for path in (choice_path(model, cache),) if path.is_file()}
    if folder != cache / "models" and folder.is_dir():
        found = {*folder.iterdir(), folder}
    unpacked = (cache / "dequantised").glob(f"{model.sha256[:16]}*") if model.sha256 else ()
    return sorted({*found, *unpacked}, key=lambda path: len(path.parts), reverse=True)


def _size(path: Path) -> int:
    inside = path.rglob("*") if path.parent.name == "dequantised" else [path]
    return sum(one.stat().st_size for one in inside if one.is_file())


def _delete(path: Path) -> None:
    try:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    except OSError as error:
        raise ModelUnavailableError(f"cannot remove {path}: {error}") from error


def _loss(model: NamedModel | None, config: Config) -> str:
    """What else goes with a model."""
    lost = ""
    if model and model.name == config.model.base:
        lost += " It is the [model] base."
    if model and model.sha256 in bases_trained_on(config):
        lost += " Adapters were trained on it, and fit no other file."
    return lost
