"""`npc model list`: every base that has a name, what of it is here, and which file serves."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Column, Table

from npc_server.base_models import resolution
from npc_server.base_models.catalogue import NamedModel
from npc_server.base_models.memory import served_memory
from npc_server.base_models.model_files import files_here, read_choice
from npc_server.base_models.quantization import Quantization
from npc_server.base_models.sources import FileSource, HubSource
from npc_server.commands.command_line import AsJson, ConfigFile, config_of, console
from npc_server.commands.models.pulling import warn_of_served
from npc_server.config import Config
from npc_server.engine.base_figures import read_figures
from npc_server.engine.errors import ModelLoadError

_MIB = 1 << 20


@dataclass(frozen=True)
class _Row:
    """What is told of a model; sizes in MiB."""

    name: str
    license: str
    terms: str  # a licence to be accepted before it is fetched; "" = none, or accepted
    good_for: str
    source: str
    revision: str  # of a hub; "" = the newest, until it is pulled
    sha256: str  # as fetched; "" = unknown until it is pulled
    serves: bool  # it is the [model] base
    mebibytes: int  # as fetched; 0 = unknown
    memory_mebibytes: int  # while it is served under [engine]; 0 = unknown
    quantization: str  # the one that serves
    path: str  # of its file; "" = not here
    trained_tokens: int  # of context; 0 = unknown
    files: tuple[dict[str, Any], ...]


def list_models(as_json: AsJson = False, config_file: ConfigFile = None) -> None:
    """List all bases by name, which files of them are here, and which one serves.

    Memory is what a base takes while it is served under the settings of [engine].
    """
    config = config_of(config_file)
    rows = [_row(name, config) for name in resolution.names(config.paths.models)]
    warn_of_served(config)
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    console.print(_table(rows))


def _table(rows: list[_Row]) -> Table:
    where = Column("where", overflow="fold")
    name = Column("name", no_wrap=True)
    columns = ("serves", "quantization", "MiB", "memory", "context", "license")
    caption = (
        "memory: MiB while it is served under [engine]; *: npc model pull asks you to accept it"
    )
    table = Table(name, *columns, where, caption=caption)
    for row in rows:
        absent = {"path": f"not here: {row.good_for}" if row.good_for else "not here"}
        for file in row.files or (absent,):
            table.add_row(row.name, *_cells(row, file))
    return table


def _cells(row: _Row, file: dict[str, Any]) -> list[str]:
    chosen = file["path"] == row.path
    return [
        ("●" if row.serves else "○") if chosen else "",
        file.get("quantization", ""),
        f"{file.get('mebibytes', row.mebibytes) or '?'}",
        f"{row.memory_mebibytes or '?'}" if chosen or not row.path else "",
        str(row.trained_tokens or ""),
        row.license + ("*" if row.terms else ""),
        file["path"],
    ]


def _row(name: str, config: Config) -> _Row:
    model = resolution.find(name, config.paths.models) or NamedModel(name, FileSource(Path()))
    choice = read_choice(model, config.paths.cache)
    serving = choice.chosen if choice else Quantization.ORIGINAL
    here = files_here(model, config.paths.cache)
    path = here.get(serving)
    return _Row(
        name=name,
        license=model.license,
        terms=model.terms,
        good_for=model.good_for,
        source=_source(model),
        revision=model.source.revision if isinstance(model.source, HubSource) else "",
        sha256=model.sha256,
        serves=config.model.base == name,
        mebibytes=model.size_bytes >> 20,
        memory_mebibytes=_memory(model, path, config) >> 20,
        quantization=serving,
        path=str(path or ""),
        trained_tokens=_trained_tokens(path),
        files=tuple(
            {"quantization": q, "mebibytes": file.stat().st_size >> 20, "path": str(file)}
            for q, file in here.items()
        ),
    )


def _source(model: NamedModel) -> str:
    match model.source:
        case HubSource() as source:
            return f"hf:{source.repo}/{source.file}"
        case FileSource(path):
            return str(path)
        case source:
            return source.requirement


def _memory(model: NamedModel, path: Path | None, config: Config) -> int:
    """Bytes that it takes while it is served; 0 where nothing tells."""
    try:
        if path:
            figures = read_figures(path)
        elif model.shape:
            figures = model.shape.figures(model.size_bytes)
        else:
            return 0
    except ModelLoadError:
        return 0
    return served_memory(figures, config.engine.settings).bytes


def _trained_tokens(path: Path | None) -> int:
    """Tokens of context that a base was trained on; 0 = that cannot be read."""
    from npc_server.engine.vocab import Vocab

    try:
        return Vocab(path).trained_tokens if path else 0
    except ModelLoadError:
        return 0
