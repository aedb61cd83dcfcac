"""Sequences are claimed, reused by prefix, and never across adapters."""

from npc_server.engine.kv import MIN_FORK_TOKENS, KvBook, Placement, common_prefix

PREFIX = list(range(100, 100 + 2 * MIN_FORK_TOKENS))


def book_with(adapter: str, tokens: list[int], sequences: int = 3) -> tuple[KvBook, int]:
    """A book where one finished turn left its tokens."""
    book = KvBook(sequences)
    placement = book.acquire(adapter, tokens)
    assert placement is not None
    book.extend(placement.sequence, tokens[placement.kept_tokens :])
    book.release(placement.sequence)
    return book, placement.sequence


def test_a_continued_conversation_stays_in_its_sequence() -> None:
    book, sequence = book_with("a", PREFIX)
    assert book.acquire("a", [*PREFIX, 1, 2]) == Placement(sequence, sequence, len(PREFIX))


def test_a_shared_beginning_is_forked_and_the_source_keeps_its_tokens() -> None:
    book, source = book_with("a", [*PREFIX, 1, 2, 3])
    fork = book.acquire("a", [*PREFIX, 7, 8])
    assert fork is not None
    assert (fork.source, fork.kept_tokens) == (source, len(PREFIX))
    assert fork.sequence != source
    assert book.acquire("a", [*PREFIX, 1, 2, 3, 4]) == Placement(source, source, len(PREFIX) + 3)


def test_the_same_tokens_under_another_adapter_share_nothing() -> None:
    book, _ = book_with("a", PREFIX)
    placement = book.acquire("b", [*PREFIX, 1])
    assert placement is not None
    assert placement.kept_tokens == 0


def test_the_last_prompt_token_is_always_computed() -> None:
    book, _ = book_with("a", PREFIX)
    placement = book.acquire("a", PREFIX)
    assert placement is not None
    assert placement.kept_tokens == len(PREFIX) - 1


def test_a_short_common_beginning_is_not_worth_a_fork() -> None:
    book, _ = book_with("a", PREFIX)
    placement = book.acquire("a", [*PREFIX[: MIN_FORK_TOKENS - 1], 1, 2, 3])
    assert placement is not None
    assert placement.kept_tokens == 0


def test_nothing_is_free_while_all_sequences_are_busy() -> None:
    book = KvBook(1)
    first = book.acquire("a", [1, 2])
    assert first is not None
    assert book.acquire("a", [1, 2]) is None
    book.release(first.sequence)
    assert book.free == 1


def test_empty_sequences_are_taken_before_remembered_ones() -> None:
    book, remembered = book_with("a", PREFIX)
    placement = book.acquire("b", [1, 2])
    assert placement is not None
    assert placement.sequence != remembered


def test_what_a_failed_turn_left_is_not_reused() -> None:
    book = KvBook(2)
    placement = book.acquire("a", PREFIX)
    assert placement is not None
    book.extend(placement.sequence, PREFIX)
    book.discard(placement.sequence)
    again = book.acquire("a", [*PREFIX, 1])
    assert again is not None
    assert again.kept_tokens == 0


def test_an_unloaded_adapter_leaves_nothing_behind() -> None:
    book, _ = book_with("a", PREFIX)
    book.forget_adapter("a")
    placement = book.acquire("a", [*PREFIX, 1])
    assert placement is not None
    assert placement.kept_tokens == 0


def test_common_prefix_counts_equal_leading_tokens() -> None:
    assert common_prefix([1, 2, 3], [1, 2, 4]) == 2
    assert common_prefix([1, 2], [1, 2, 3]) == 2
    assert common_prefix([], [1]) == 0
