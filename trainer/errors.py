"""What can go wrong while training.

TrainerError
├── BaseModelError (ValueError)        the GGUF cannot become a training base
├── ConfigError (ValueError)           a setting is out of range, or one its method would ignore
├── RowsError (ValueError)             the rows cannot be trained on: none fits, or labels lack
├── AdapterError (ValueError)          the parent adapter cannot be continued on this base
├── UnknownCharacterError (LookupError)  no persona of that id
├── MissingLibraryError (ImportError)  the train extra is not installed
├── MissingStoreError (LookupError)    there is no feedback store yet
├── ClaimedError (RuntimeError)        another process is training this character
├── RecordError (OSError)              a run's record cannot be written or read
├── UnknownRunError (LookupError)      no run of that number
├── DiskError (OSError)                too little room for a run
└── TrainingError (RuntimeError)       training itself went wrong; nothing was published
    ├── GaveUpError                    the run was killed too often
    ├── OutOfMemoryError               memory ran out; the message names the setting to change
    ├── WrongReferenceError            step 0 was not measured against the parent adapter
    └── DivergedError                  the loss became infinite or NaN
"""

from trainer.progress import StepMetrics


class TrainerError(Exception):
    """Anything this package raises on purpose."""


class BaseModelError(TrainerError, ValueError):
    """The GGUF is missing, is not a GGUF, or has an architecture that cannot be trained."""


class ConfigError(TrainerError, ValueError):
    """A training setting is out of range, or the chosen method would ignore it."""


class RowsError(TrainerError, ValueError):
    """No row can be trained on; the message says why, with counts."""


class AdapterError(TrainerError, ValueError):
    """The parent adapter is missing, broken, or does not belong to this base."""


class UnknownCharacterError(TrainerError, LookupError):
    """No persona file has this id."""


class MissingLibraryError(TrainerError, ImportError):
    """A model library of the train extra is not installed."""


class MissingStoreError(TrainerError, LookupError):
    """There is no feedback store at the configured path."""


class ClaimedError(TrainerError, RuntimeError):
    """Another process is training this character; try again when it has finished."""


class RecordError(TrainerError, OSError):
    """A file of a run's folder cannot be written, read or understood."""


class UnknownRunError(TrainerError, LookupError):
    """No run has this number."""


class DiskError(TrainerError, OSError):
    """There is too little disk space to train; nothing was begun."""


class TrainingError(TrainerError, RuntimeError):
    """Training failed after it began. The candidate is deleted; its metrics are kept here."""

    history: tuple[StepMetrics, ...] = ()  # up to the step that failed


class GaveUpError(TrainingError):
    """A run was started too often without reaching an end, and is not tried any more."""


class OutOfMemoryError(TrainingError):
    """Memory ran out during a training that was estimated to fit."""


class WrongReferenceError(TrainingError):
    """The policy and its reference disagreed before the first step, so margins would mislead."""


class DivergedError(TrainingError):
    """The loss became infinite or NaN. Lower the learning rate or look at the rows."""
