"""Models that a command names: found, pinned to one exact file, their terms accepted."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from npc_server.base_models import resolution
from npc_server.base_models.catalogue import NamedModel
from npc_server.base_models.errors import ModelUnavailableError, NotOnHubError
from npc_server.base_models.hub import Hub, pinned_model
from npc_server.base_models.model_files import cached_path
from npc_server.base_models.model_records import ModelRecords
from npc_server.base_models.sources import HubSource
from npc_server.config import Config
from npc_server.errors import ConfigError
from personas.adapter_repo import AdapterRepo
from personas.known_names import instead_of


def require_model(name: str, config: Config) -> NamedModel:
    """The model of a name. Raises ConfigError, ModelUnavailableError."""
    model = resolution.find(name, config.paths.models)
    if model is None:
        hint = instead_of(name, resolution.names(config.paths.models))
        raise ConfigError(f"no model {name!r} in the catalogue or added{hint}")
    return model


def records(config: Config) -> ModelRecords:
    """The records of the configured data folder."""
    return ModelRecords(config.paths.data / "models")


def ensure_pinned(model: NamedModel, config: Config) -> NamedModel:
    """Let a hub's model stand for one exact file, the newest where nothing else is known.

    Raises what the hub raises, and ConfigError for what is not on it.
    """
    source = model.source
    if not isinstance(source, HubSource) or (model.is_pinned and source.revision):
        return model
    if model.is_pinned and cached_path(model, config.paths.cache).is_file():
        return model
    with names_hinted():
        found = pinned_model(model, Hub().describe(source))
    records(config).record(found)
    return found


def ensure_terms_accepted(model: NamedModel, config: Config, accepted: bool) -> None:
    """Ask for a licence that must be accepted, once.

    Raises ModelUnavailableError where nobody can be asked, typer.Abort for a no.
    """
    if not model.terms:
        return
    if not accepted:
        _ask_for_terms(model)
    records(config).record(model, terms_accepted=True)


def _ask_for_terms(model: NamedModel) -> None:
    stated = f"{model.name} is under the {model.license}: {model.terms}"
    if not sys.stdin.isatty():
        raise ModelUnavailableError(
            f"{stated}\nRead it, and accept it with: {model.pull_command} --accept-license"
        )
    typer.confirm(f"{stated}\nDo you accept it?", abort=True, err=True)


@contextmanager
def names_hinted() -> Iterator[None]:
    """Name the nearest of what a hub has for what it has not."""
    try:
        yield
    except NotOnHubError as error:
        raise ConfigError(f"{error}{instead_of(error.name, error.known)}") from error


def bases_trained_on(config: Config) -> frozenset[str]:
    """The sha256 of every base that something in the data folder fits."""
    voices, heads = AdapterRepo(config.paths.adapters), AdapterRepo(config.paths.heads)
    return voices.bases() | heads.bases()
