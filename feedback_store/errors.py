"""What can go wrong when feedback is stored, by whose move is next.

FeedbackStoreError
├── the caller's: correct the record, do not send it again as it is
│   ├── InvalidRecordError(ValueError)      a value that cannot be stored or contradicts its session
│   │   └── InvalidEventError               a reaction that makes no sense for its turn
│   ├── UnknownSessionError(LookupError)    a turn of a session that was never recorded
│   ├── UnknownTurnError(LookupError)       an event about a turn that was never recorded
│   ├── RecordConflictError(ValueError)     a session or turn id that already names other content
│   └── EventConflictError(ValueError)      an event id that already names another event
├── not ready: send it again
│   └── StoreUnavailableError(OSError)      locked, full or unreadable disk, too many writes waiting
│       └── StoreClosedError                close() was called; only a new Store takes writes
└── an operator's: the file needs a decision
    ├── StoreCorruptError(OSError)          damaged, or not a feedback store at all
    └── StoreTooNewError(RuntimeError)      written by a newer release than this one
"""


class FeedbackStoreError(Exception):
    """Anything this package raises on purpose."""


class InvalidRecordError(FeedbackStoreError, ValueError):
    """A record holds a value that cannot be stored, or contradicts the session it belongs to."""


class InvalidEventError(InvalidRecordError):
    """An event makes no sense for its turn, such as an empty edit or a choice across prompts."""


class UnknownSessionError(FeedbackStoreError, LookupError):
    """A turn names a session that is not recorded."""


class UnknownTurnError(FeedbackStoreError, LookupError):
    """An event names a turn that is not recorded."""


class RecordConflictError(FeedbackStoreError, ValueError):
    """A session or turn id is already taken by a record with other content."""


class EventConflictError(FeedbackStoreError, ValueError):
    """An event id is already taken by an event that says something else."""


class StoreUnavailableError(FeedbackStoreError, OSError):
    """The write was not stored and may be sent again: locked, disk full, or too much waiting."""


class StoreClosedError(StoreUnavailableError):
    """The store was closed before this call."""


class StoreCorruptError(FeedbackStoreError, OSError):
    """The file is damaged, or belongs to another program."""


class StoreTooNewError(FeedbackStoreError, RuntimeError):
    """The file was migrated by a newer release, whose tables this one does not know."""
