"""Which computed prefixes are found again, and which make way."""

import numpy as np
import pytest

from npc_server.engine.kv import MIN_SHARED_TOKENS, Blob, PrefixCache, common_prefix
from npc_server.engine.lora.voice import Voice

A, B = Voice("a"), Voice("b")
TEXT = list(range(100))


def blob(size_bytes: int = 10) -> Blob:
    return np.zeros(size_bytes, np.uint8)


def cache_with(*prefixes: tuple[Voice, list[int]], limit_bytes: int = 1000) -> PrefixCache:
    cache = PrefixCache(limit_bytes)
    for voice, tokens in prefixes:
        cache.store(voice, tokens, blob())
    return cache


def test_the_longest_common_prefix_is_found() -> None:
    cache = cache_with((A, TEXT[:30]), (A, [*TEXT[:50], 7, 7]))
    prefix, shared = cache.longest(A, TEXT)
    assert prefix is not None
    assert (prefix.tokens[-1], shared) == (7, 50)


@pytest.mark.parametrize("voice", [B, Voice("a", 0.5), Voice()], ids=["adapter", "scale", "base"])
def test_another_voice_finds_nothing(voice: Voice) -> None:
    assert cache_with((A, TEXT)).longest(voice, TEXT) == (None, 0)


def test_the_last_token_of_a_prompt_is_always_computed() -> None:
    assert cache_with((A, TEXT)).longest(A, TEXT)[1] == len(TEXT) - 1


def test_a_short_common_prefix_is_not_worth_copying() -> None:
    cache = cache_with((A, TEXT[: MIN_SHARED_TOKENS - 1]))
    assert cache.longest(A, TEXT) == (None, 0)


def test_a_state_that_cannot_be_cut_serves_whole_or_not_at_all() -> None:
    cache = PrefixCache(1000, can_cut=False)
    cache.store(A, TEXT[:40], blob())
    assert cache.longest(A, TEXT)[1] == 40
    assert cache.longest(A, [*TEXT[:39], 7, 8]) == (None, 0)


def test_a_longer_text_replaces_its_beginnings() -> None:
    cache = cache_with((A, TEXT[:20]), (A, TEXT[:40]))
    assert (len(cache), cache.bytes) == (1, 10)


def test_a_pinned_prefix_stays_beside_what_continues_it() -> None:
    cache = PrefixCache(1000)
    cache.store(A, TEXT[:20], blob(), pinned=True)
    cache.store(A, TEXT[:40], blob())
    assert len(cache) == 2


def test_the_least_recently_used_makes_way_and_the_pinned_last() -> None:
    texts = [[n] * 20 for n in range(3)]
    cache = PrefixCache(30)
    cache.store(A, texts[0], blob(), pinned=True)
    cache.store(A, texts[1], blob())
    cache.store(A, texts[2], blob())
    cache.longest(A, [*texts[1], 0])
    cache.store(A, [9] * 20, blob())
    kept = {n for n in (0, 1, 2, 9) if cache.longest(A, [n] * 21)[1]}
    assert kept == {0, 1, 9}


def talk_in(cache: PrefixCache, conversation: str, texts: list[list[int]]) -> None:
    """Keep states of a conversation, none of which is the beginning of another."""
    for text in texts:
        cache.store(A, text, blob(), conversation=conversation)


def test_what_its_conversation_did_not_go_on_from_makes_way_first() -> None:
    cache = PrefixCache(40)
    cache.store(A, [8] * 20, blob(), conversation="another")
    talk_in(cache, "c", [[n, *TEXT[:20]] for n in range(3)])  # takes, of which one is chosen
    cache.longest(A, [1, *TEXT[:30]], "c")
    talk_in(cache, "c", [[9] * 20, [7] * 20])
    kept = {n for n in range(10) if cache.longest(A, [n, *([n] * 20)])[1]}
    assert kept == {8, 9, 7}
    assert cache.longest(A, [1, *TEXT[:30]])[1] == 21


def test_what_a_conversation_returns_to_counts_again() -> None:
    cache = PrefixCache(20)
    talk_in(cache, "c", [[1] * 20, [2] * 20])
    cache.longest(A, [1] * 30, "c")
    cache.longest(A, [2] * 30, "c")
    cache.store(A, [3] * 20, blob())
    assert cache.longest(A, [1] * 30)[1] == 0
    assert cache.longest(A, [2] * 30)[1] == 20


def test_a_prefix_beyond_the_whole_budget_is_not_kept() -> None:
    cache = PrefixCache(5)
    cache.store(A, TEXT, blob())
    assert (len(cache), cache.bytes) == (0, 0)


def test_forgetting_an_adapter_forgets_it_at_every_scale() -> None:
    cache = cache_with((A, TEXT), (Voice("a", 0.5), TEXT), (B, TEXT))
    cache.forget_adapter("a")
    assert cache.longest(A, TEXT) == (None, 0)
    assert cache.longest(Voice("a", 0.5), TEXT) == (None, 0)
    assert cache.longest(B, TEXT)[1] == 99


@pytest.mark.parametrize(
    ("left", "right", "common"),
    [
        pytest.param([], [1], 0, id="empty"),
        pytest.param([1, 2, 3], [1, 2, 3], 3, id="equal"),
        pytest.param([1, 2, 3], [1, 2], 2, id="beginning"),
        pytest.param([1, 2, 3, 4], [1, 2, 9, 4], 2, id="parting"),
        pytest.param([1], [2], 0, id="different"),
    ],
)
def test_common_prefixes(left: list[int], right: list[int], common: int) -> None:
    assert common_prefix(left, right) == common
