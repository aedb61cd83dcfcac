"""Every error that is raised on purpose has a status."""

import pickle
from collections.abc import Iterator

import grpc
import pytest

from feedback_store.errors import (
    FeedbackStoreError,
    InvalidEventError,
    StoreClosedError,
    StoreFullError,
    TooManyEventsError,
)
from npc_server.base_models.errors import BaseModelError
from npc_server.engine.errors import EngineBusyError, EngineError
from npc_server.errors import STATUS_OF, InvalidRequestError, ServerError, status_of
from personas.errors import PersonasError


def tree(root: type[Exception]) -> Iterator[type[Exception]]:
    """A class and all its subclasses."""
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


@pytest.mark.parametrize(
    "root", [ServerError, BaseModelError, PersonasError, FeedbackStoreError, EngineError]
)
def test_every_class_of_every_tree_finds_a_status(root: type[Exception]) -> None:
    for kind in tree(root):
        assert any(base in STATUS_OF for base in kind.__mro__), kind


def test_every_store_error_has_a_status_of_its_own_or_says_what_its_parent_says() -> None:
    as_parent = {InvalidEventError, StoreClosedError}
    assert set(tree(FeedbackStoreError)) - set(STATUS_OF) == as_parent


def test_the_nearest_class_decides() -> None:
    assert status_of(InvalidRequestError("x")) is grpc.StatusCode.INVALID_ARGUMENT
    assert status_of(StoreClosedError("x")) is grpc.StatusCode.UNAVAILABLE
    assert status_of(StoreFullError("x")) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert status_of(TooManyEventsError("x", 1.0)) is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_an_error_nobody_planned_has_none() -> None:
    assert status_of(ZeroDivisionError()) is None


def test_a_busy_engine_keeps_its_hint_on_the_way_through_a_pipe() -> None:
    error = pickle.loads(pickle.dumps(EngineBusyError("busy", retry_after_s=2.5)))
    assert (str(error), error.retry_after_s) == ("busy", 2.5)
