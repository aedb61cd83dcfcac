"""The exit codes of `npc`, and which one each error of ours ends with.

0  done
1  the work was done and the answer is no (a gate rejected, a training or a demo stage failed),
   or a question was answered with no
2  wrong usage, a name that does not exist, wrong configuration, persona files or cards that are
   broken or too large
3  something needed is not there or cannot be used: model, server, version, feedback store,
   backup, extra package
4  the engine process died again and again
"""

from __future__ import annotations

from enum import IntEnum

from feedback_store.errors import FeedbackStoreError
from npc_server.base_models.errors import BaseModelError, InvalidModelError
from npc_server.engine.errors import DeviceMissingError, EngineError, KvTypeError
from npc_server.errors import ConfigError, ServerError
from personas.errors import (
    AdapterRepoError,
    CardError,
    CharacterTooLargeError,
    EmbeddingModelError,
    PersonaError,
)


class Exit(IntEnum):
    """An exit code, as the module's docstring explains it."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    MISSING = 3
    ENGINE_DIED = 4


#: The first class that an error belongs to decides.
_EXIT_OF: tuple[tuple[type[Exception], Exit], ...] = (
    (PersonaError, Exit.USAGE),
    (CharacterTooLargeError, Exit.USAGE),
    (CardError, Exit.USAGE),
    (EmbeddingModelError, Exit.MISSING),
    (ConfigError, Exit.USAGE),
    (InvalidModelError, Exit.USAGE),
    (DeviceMissingError, Exit.USAGE),
    (KvTypeError, Exit.USAGE),
    (ServerError, Exit.MISSING),
    (BaseModelError, Exit.MISSING),
    (AdapterRepoError, Exit.MISSING),
    (FeedbackStoreError, Exit.MISSING),
    (EngineError, Exit.MISSING),
)


def exit_of(error: Exception) -> Exit | None:
    """The exit code of an error; None for errors that nobody raises on purpose."""
    return next((code for kind, code in _EXIT_OF if isinstance(error, kind)), None)
