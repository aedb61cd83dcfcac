"""What can go wrong in the engine.

EngineError
├── ModelLoadError            the base model file is missing, damaged or unsupported
│   ├── DeviceMissingError    the settings name a device that is not here (LookupError)
│   ├── KvTypeError           keys and values of that type cannot be kept (ValueError)
│   └── NoRoomError           the memory that there is cannot hold the base and its context
├── AdapterRejectedError      an adapter does not fit the base, or is damaged (ValueError)
├── UnknownAdapterError       a request names an adapter that is not loaded (LookupError)
├── RequestRejectedError      a request can never run as asked: empty or too long (ValueError)
├── EngineBusyError           the waiting queue is full; try again later
├── DecodeError               llama.cpp failed on a step
├── MixingUnavailableError    adapters cannot be mixed in one batch with this build or model
└── EngineDiedError           the engine process is gone
"""


class EngineError(Exception):
    """Base of everything the engine raises on purpose; instances survive pickling."""


class ModelLoadError(EngineError):
    """The base model could not be loaded."""


class DeviceMissingError(ModelLoadError, LookupError):
    """The settings name a device that is not here; the message lists what is."""


class KvTypeError(ModelLoadError, ValueError):
    """Keys and values of this type cannot be kept for this base, or not on this device."""


class NoRoomError(ModelLoadError):
    """Planned before loading: it does not fit; the message has the numbers and what would fit."""


class AdapterRejectedError(EngineError, ValueError):
    """The adapter is damaged or does not fit this base; nothing was changed."""


class UnknownAdapterError(EngineError, LookupError):
    """The request names an adapter that is not loaded."""


class RequestRejectedError(EngineError, ValueError):
    """The request can never run as asked; waiting will not help."""


class EngineBusyError(EngineError):
    """Too many requests are waiting already; trying again makes sense after `retry_after_s`."""

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DecodeError(EngineError):
    """llama.cpp reported a failure while computing a step."""


class MixingUnavailableError(EngineError):
    """Adapters cannot be mixed in one batch here; the engine groups turns by adapter instead."""


class EngineDiedError(EngineError, ConnectionError):
    """The engine process ended; its running requests are lost."""
