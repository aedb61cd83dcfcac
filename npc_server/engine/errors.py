"""What can go wrong in the engine.

EngineError
├── ModelLoadError            the base model file is missing, damaged or unsupported
├── AdapterRejectedError      an adapter does not fit the base, or is damaged (ValueError)
├── UnknownAdapterError       a request names an adapter that is not loaded (LookupError)
├── RequestRejectedError      a request can never run as asked: empty or too long (ValueError)
├── EngineBusyError           the waiting queue is full; try again later
├── DecodeError               llama.cpp failed on a step
└── EngineDiedError           the engine process is gone
"""


class EngineError(Exception):
    """Base of everything the engine raises on purpose; instances survive pickling."""


class ModelLoadError(EngineError):
    """The base model could not be loaded."""


class AdapterRejectedError(EngineError, ValueError):
    """The adapter is damaged or does not fit this base; nothing was changed."""


class UnknownAdapterError(EngineError, LookupError):
    """The request names an adapter that is not loaded."""


class RequestRejectedError(EngineError, ValueError):
    """The request can never run as asked; waiting will not help."""


class EngineBusyError(EngineError):
    """Too many requests are waiting already."""


class DecodeError(EngineError):
    """llama.cpp reported a failure while computing a step."""


class EngineDiedError(EngineError, ConnectionError):
    """The engine process ended; its running requests are lost."""
