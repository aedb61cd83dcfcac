"""What can go wrong while training.

TrainerError
├── BaseModelError (ValueError)        the GGUF cannot become a training base
├── ConfigError (ValueError)           a setting is out of range, or one its method would ignore
├── RowsError (ValueError)             the rows cannot be trained on: none fit, or labels missing
├── AdapterError (ValueError)          the parent adapter cannot be continued on this base
├── UnknownCharacterError (LookupError)  no persona of that id
├── MissingLibraryError (ImportError)  the train extra is not installed
├── MissingStoreError (LookupError)    nobody has played yet
├── ClaimedError (RuntimeError)        another process is training this character
└── TrainingError (RuntimeError)       training itself went wrong; nothing was published
    ├── WrongReferenceError            step 0 was not measured against the parent adapter
    └── DivergedError                  the loss stopped being a number
"""


class TrainerError(Exception):
    """Anything this package raises on purpose."""


class BaseModelError(TrainerError, ValueError):
    """The GGUF is missing, is not a GGUF, or has an architecture that cannot be trained."""


class ConfigError(TrainerError, ValueError):
    """A training setting is out of range, or would be ignored by the chosen method."""


class RowsError(TrainerError, ValueError):
    """No row can be trained on; the message counts why."""


class AdapterError(TrainerError, ValueError):
    """The parent adapter is missing, broken, or does not belong to this base."""


class UnknownCharacterError(TrainerError, LookupError):
    """No persona file has this id."""


class MissingLibraryError(TrainerError, ImportError):
    """A model library of the train extra is not installed."""


class MissingStoreError(TrainerError, LookupError):
    """There is no feedback store at the configured place."""


class ClaimedError(TrainerError, RuntimeError):
    """Another process is training this character; try again when it has finished."""


class TrainingError(TrainerError, RuntimeError):
    """Training failed after it began. The candidate is thrown away."""


class WrongReferenceError(TrainingError):
    """The policy and its reference disagreed before the first step, so margins would mislead."""


class DivergedError(TrainingError):
    """The loss became infinite or not a number. Lower the learning rate or look at the rows."""
