"""What goes wrong with base models.

BaseModelError
├── ModelUnavailableError   the file is not here, not intact, or could not be fetched
├── RequantizeError         llama.cpp could not write a quantization
└── ProcessDiedError        the process that worked on a model ended without an answer
"""


class BaseModelError(Exception):
    """Base of everything that is raised on purpose about a base model."""


class ModelUnavailableError(BaseModelError):
    """The base model is not here and could not be fetched."""


class RequantizeError(BaseModelError):
    """llama.cpp could not make the file."""


class ProcessDiedError(BaseModelError):
    """The process ended without an answer."""
