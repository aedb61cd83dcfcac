"""The server's own errors, and the gRPC status that each error of any part becomes.

ServerError
├── InvalidRequestError     a field is missing, malformed or over its limit (ValueError)
├── UnknownCharacterError   (LookupError)
├── UnknownSessionError     (LookupError)
├── UnknownMemoryError      nothing that is remembered has this id (LookupError)
├── UnknownSceneError       (LookupError)
├── UnknownMemberError      a character or player is not in the scene (LookupError)
├── UnknownPlayerError      the token is of another player (LookupError)
├── UnknownTurnError        no open session has that turn (LookupError)
├── NotLatestTurnError      only the latest turn of a session has another take (LookupError)
├── SessionBusyError        a session has one running reply at a time
├── EventsWaitError         too many events wait until characters have spoken (RuntimeError)
├── UnauthenticatedError    no key or token, or one that is not valid (PermissionError)
├── ForbiddenError          the key's roles do not cover the call (PermissionError)
├── QuotaError              a caller or player does more at once than it may (RuntimeError)
├── AdapterMisfitError      the adapter is of another base or purpose (ValueError)
└── ConfigError             npc.toml or the environment (ValueError)
    └── KeysFileError       the file of the keys cannot be used (OSError)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import grpc

from feedback_store import errors as store_errors
from npc_server.base_models import errors as base_model_errors
from npc_server.engine import errors as engine_errors
from personas import errors as persona_errors


class ServerError(Exception):
    """Base of every error that the server raises on purpose."""


class InvalidRequestError(ServerError, ValueError):
    """A request field is missing, malformed or over its limit."""


class UnknownCharacterError(ServerError, LookupError):
    """No character with that id is loaded."""


class UnknownSessionError(ServerError, LookupError):
    """No session with that id is open."""


class UnknownMemoryError(ServerError, LookupError):
    """The session remembers nothing under this id."""


class UnknownSceneError(ServerError, LookupError):
    """No scene with that id is open."""


class UnknownMemberError(ServerError, LookupError):
    """The character or player is not in the scene."""


class UnknownPlayerError(ServerError, LookupError):
    """The player is not the one whom the token is of."""


class UnknownTurnError(ServerError, LookupError):
    """No open session has a turn with that id."""


class NotLatestTurnError(ServerError, LookupError):
    """The turn is not a take of the session's latest exchange."""


class SessionBusyError(ServerError):
    """The session has a running reply already."""


class EventsWaitError(ServerError, RuntimeError):
    """Too many events wait until the characters that speak have spoken."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UnauthenticatedError(ServerError, PermissionError):
    """The call brought no key or token, or one that is not valid."""


class ForbiddenError(ServerError, PermissionError):
    """Nobody in the caller's roles may make this call."""


class QuotaError(ServerError, RuntimeError):
    """A key, a game or a player does more than it may, at once or in a while."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class AdapterMisfitError(ServerError, ValueError):
    """The adapter was trained on another base model, or for another purpose."""


class ConfigError(ServerError, ValueError):
    """The configuration holds unknown keys or impossible values."""


class KeysFileError(ConfigError, OSError):
    """The file of the keys is damaged, open to others, or cannot be read or written."""


_TELLING_WHEN = (
    engine_errors.EngineBusyError,
    store_errors.TooManyEventsError,
    EventsWaitError,
    QuotaError,
)

_Code = grpc.StatusCode

#: The nearest class in an error's method resolution order decides. A tree is listed by its root
#: where all of it means the same to a caller.
STATUS_OF: Mapping[type[Exception], grpc.StatusCode] = MappingProxyType(
    {
        ServerError: _Code.INTERNAL,
        InvalidRequestError: _Code.INVALID_ARGUMENT,
        UnknownCharacterError: _Code.NOT_FOUND,
        UnknownSessionError: _Code.NOT_FOUND,
        UnknownMemoryError: _Code.NOT_FOUND,
        UnknownSceneError: _Code.NOT_FOUND,
        UnknownMemberError: _Code.NOT_FOUND,
        UnknownPlayerError: _Code.NOT_FOUND,
        UnknownTurnError: _Code.NOT_FOUND,
        NotLatestTurnError: _Code.NOT_FOUND,
        SessionBusyError: _Code.ABORTED,
        EventsWaitError: _Code.RESOURCE_EXHAUSTED,
        UnauthenticatedError: _Code.UNAUTHENTICATED,
        ForbiddenError: _Code.PERMISSION_DENIED,
        QuotaError: _Code.RESOURCE_EXHAUSTED,
        AdapterMisfitError: _Code.FAILED_PRECONDITION,
        ConfigError: _Code.INTERNAL,
        # base models, which no call reaches
        base_model_errors.BaseModelError: _Code.INTERNAL,
        # personas
        persona_errors.PersonasError: _Code.INTERNAL,
        persona_errors.PromptTooLongError: _Code.INVALID_ARGUMENT,
        persona_errors.CharacterTooLargeError: _Code.INTERNAL,
        persona_errors.InvalidIdError: _Code.INVALID_ARGUMENT,
        persona_errors.UnknownVersionError: _Code.NOT_FOUND,
        persona_errors.NothingToRollBackError: _Code.FAILED_PRECONDITION,
        persona_errors.CorruptAdapterError: _Code.FAILED_PRECONDITION,
        persona_errors.CorruptAliasesError: _Code.FAILED_PRECONDITION,
        persona_errors.RepoWriteError: _Code.UNAVAILABLE,
        # feedback_store
        store_errors.FeedbackStoreError: _Code.INTERNAL,
        store_errors.InvalidRecordError: _Code.INVALID_ARGUMENT,
        store_errors.UnknownSessionError: _Code.NOT_FOUND,
        store_errors.UnknownTurnError: _Code.NOT_FOUND,
        store_errors.UnknownEventError: _Code.NOT_FOUND,
        store_errors.UnknownCheckpointError: _Code.NOT_FOUND,
        store_errors.ForgottenError: _Code.NOT_FOUND,
        store_errors.EventConflictError: _Code.ALREADY_EXISTS,
        store_errors.RecordConflictError: _Code.ALREADY_EXISTS,
        store_errors.TooManyEventsError: _Code.RESOURCE_EXHAUSTED,
        store_errors.StoreUnavailableError: _Code.UNAVAILABLE,
        store_errors.StoreFullError: _Code.RESOURCE_EXHAUSTED,
        store_errors.StoreCorruptError: _Code.INTERNAL,
        store_errors.StoreTooNewError: _Code.INTERNAL,
        store_errors.KeyFileError: _Code.INTERNAL,
        store_errors.BackupError: _Code.INTERNAL,
        store_errors.AuditError: _Code.UNAVAILABLE,
        # engine
        engine_errors.EngineError: _Code.INTERNAL,
        engine_errors.AdapterRejectedError: _Code.FAILED_PRECONDITION,
        engine_errors.RequestRejectedError: _Code.INVALID_ARGUMENT,
        engine_errors.EngineBusyError: _Code.RESOURCE_EXHAUSTED,
        engine_errors.EngineDiedError: _Code.UNAVAILABLE,
    }
)


def retry_after_ms(error: BaseException) -> int:
    """Milliseconds after which it is worth trying again; 0 = the error does not tell."""
    if isinstance(error, _TELLING_WHEN):
        return math.ceil(error.retry_after_s * 1e3)
    return 0


def status_of(error: BaseException) -> grpc.StatusCode | None:
    """The status of `error`; None for errors that are not raised on purpose."""
    for kind in type(error).__mro__:
        if kind in STATUS_OF:
            return STATUS_OF[kind]
    return None
