"""What goes wrong with base models.

BaseModelError
├── InvalidModelError        what was named can be no base model, or no name of one
├── NotOnHubError            the hub has no such repository, revision or file
├── ModelUnavailableError    the file is not here, not intact, or could not be fetched
│   ├── HubMissingError      the packages that speak to a hub are not installed
│   ├── HubRefusedError      the hub wants a login, or a licence accepted
│   └── DiskFullError        the disk has no room for it
├── RequantizeError          llama.cpp could not write a quantization
└── ProcessDiedError         the process that worked on a model ended without an answer
"""

from __future__ import annotations

from collections.abc import Sequence


class BaseModelError(Exception):
    """Base of everything that is raised on purpose about a base model."""


class InvalidModelError(BaseModelError, ValueError):
    """What was named can be no base model, or the name is none."""


class NotOnHubError(BaseModelError, LookupError):
    """The hub has nothing of that name; `known` are those it has."""

    def __init__(self, what: str, name: str, known: Sequence[str], remark: str = "") -> None:
        super().__init__(f"no {what} {name!r}{remark}")
        self.what = what
        self.name = name
        self.known = tuple(known)
        self.remark = remark


class ModelUnavailableError(BaseModelError):
    """The base model is not here and could not be fetched."""


class HubMissingError(ModelUnavailableError):
    """The packages that speak to a hub are not installed."""


class HubRefusedError(ModelUnavailableError, PermissionError):
    """The hub wants a login, or a licence accepted."""


class DiskFullError(ModelUnavailableError):
    """The disk has no room for the model."""


class RequantizeError(BaseModelError):
    """llama.cpp could not make the file."""


class ProcessDiedError(BaseModelError):
    """The process ended without an answer."""
