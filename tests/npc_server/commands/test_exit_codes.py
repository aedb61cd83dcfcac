"""Which exit code an error ends with."""

import pytest

from feedback_store.errors import StoreFullError
from npc_server.base_models.errors import ModelUnavailableError
from npc_server.commands.exit_codes import Exit, exit_of
from npc_server.engine.errors import DeviceMissingError, EngineDiedError, NoRoomError
from npc_server.errors import ConfigError, UnknownCharacterError
from personas.errors import PersonaError, UnknownVersionError


@pytest.mark.parametrize("error", [ConfigError("no"), PersonaError([]), DeviceMissingError("no")])
def test_wrong_settings_and_personas_are_wrong_usage(error: Exception) -> None:
    assert exit_of(error) is Exit.USAGE


@pytest.mark.parametrize(
    "kind",
    [
        UnknownCharacterError,
        ModelUnavailableError,
        UnknownVersionError,
        StoreFullError,
        EngineDiedError,
        NoRoomError,
    ],
)
def test_what_any_package_lacks_is_missing(kind: type[Exception]) -> None:
    assert exit_of(kind("no")) is Exit.MISSING


def test_what_nobody_raises_on_purpose_has_no_code() -> None:
    assert exit_of(ValueError("no")) is None
