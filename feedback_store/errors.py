"""What can go wrong when feedback is stored, by who has to act next.

FeedbackStoreError
├── the caller's: correct the record, do not send it again as it is
│   ├── InvalidRecordError(ValueError)      a value that cannot be stored or contradicts its session
│   │   └── InvalidEventError               a reaction that makes no sense for its turn
│   ├── UnknownSessionError(LookupError)    a turn or event of a session that was never recorded
│   ├── UnknownTurnError(LookupError)       an event about a turn that was never recorded
│   ├── UnknownEventError(LookupError)      an undo of an event that was never recorded
│   ├── UnknownCheckpointError(LookupError) a save game whose token names no checkpoint
│   ├── ForgottenError(LookupError)         a session whose player was forgotten
│   ├── RecordConflictError(ValueError)     a session or turn id that already names other content
│   └── EventConflictError(ValueError)      an event id that already names another event
├── not ready: send it again
│   ├── TooManyEventsError(RuntimeError)    one player sends faster than the limit
│   └── StoreUnavailableError(OSError)      locked or unreadable file, too many writes waiting
│       ├── StoreFullError                  no room on the disk
│       └── StoreClosedError                close() was called; only a new Store takes writes
└── an operator's: a file needs a decision
    ├── StoreCorruptError(OSError)          damaged, or not a feedback store at all
    ├── StoreTooNewError(RuntimeError)      written by a newer release than this one
    ├── KeyFileError(OSError)               the key of the players' pseudonyms cannot be used
    ├── BackupError(OSError)                a backup cannot be written or read
    └── AuditError(OSError)                 the record of who did what is damaged or unwritable
"""


class FeedbackStoreError(Exception):
    """Anything this package raises on purpose."""


class InvalidRecordError(FeedbackStoreError, ValueError):
    """A record holds a value that cannot be stored, or contradicts the session it belongs to."""


class InvalidEventError(InvalidRecordError):
    """An event makes no sense for its turn, such as an empty edit or a choice across prompts."""


class UnknownSessionError(FeedbackStoreError, LookupError):
    """A turn or event names a session that is not recorded."""


class UnknownTurnError(FeedbackStoreError, LookupError):
    """An event names a turn that is not recorded."""


class UnknownEventError(FeedbackStoreError, LookupError):
    """An event to be undone is not recorded."""


class UnknownCheckpointError(FeedbackStoreError, LookupError):
    """No checkpoint has this token, or what it led back to has been deleted."""


class ForgottenError(FeedbackStoreError, LookupError):
    """The session's player was forgotten: nothing more of it is recorded."""


class RecordConflictError(FeedbackStoreError, ValueError):
    """A session or turn id is already taken by a record with other content."""


class EventConflictError(FeedbackStoreError, ValueError):
    """An event id is already taken by an event that says something else."""


class TooManyEventsError(FeedbackStoreError, RuntimeError):
    """A player sends events faster than the limit."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoreUnavailableError(FeedbackStoreError, OSError):
    """The write was not stored and may be sent again: locked, unreadable, or too much waiting."""


class StoreFullError(StoreUnavailableError):
    """The write was not stored: there is no room on the disk."""


class StoreClosedError(StoreUnavailableError):
    """The store was closed before this call."""


class StoreCorruptError(FeedbackStoreError, OSError):
    """The file is damaged, or belongs to another program."""


class StoreTooNewError(FeedbackStoreError, RuntimeError):
    """The file was migrated by a newer release, whose tables this one does not know."""


class KeyFileError(FeedbackStoreError, OSError):
    """The key that pseudonyms are made with cannot be read or made."""


class BackupError(FeedbackStoreError, OSError):
    """A backup or an export cannot be written, or a backup not be read or put back."""


class AuditError(FeedbackStoreError, OSError):
    """The record of who did what cannot be read or written."""
