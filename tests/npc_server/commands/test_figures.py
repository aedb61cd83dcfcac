"""Figures out of histograms."""

from dataclasses import replace

import pytest

from npc_server.commands.figures import figures, lines, quantile
from npc_server.engine.fake import FakeEngine
from npc_server.engine.protocol import Batching, Histogram


def histogram(*counts: int) -> Histogram:
    """Values between 0, 10, 20, 40 and beyond."""
    return Histogram((10.0, 20.0, 40.0), counts, 0.0)


@pytest.mark.parametrize(
    ("counts", "share", "value"),
    [
        pytest.param((4, 0, 0, 0), 0.5, 5.0, id="inside-the-first-bucket"),
        pytest.param((2, 2, 0, 0), 0.75, 15.0, id="inside-the-second"),
        pytest.param((2, 2, 0, 0), 0.5, 10.0, id="on-a-bound"),
        pytest.param((1, 0, 1, 0), 1.0, 40.0, id="over-an-empty-bucket"),
        pytest.param((1, 0, 0, 9), 0.5, 40.0, id="beyond-the-last-bound"),
        pytest.param((0, 0, 0, 0), 0.5, None, id="nothing-measured"),
    ],
)
def test_quantiles_lie_evenly_within_their_bucket(
    counts: tuple[int, ...], share: float, value: float | None
) -> None:
    assert quantile(histogram(*counts), share) == value


async def test_an_engine_that_did_nothing_yet_shows_no_figures() -> None:
    idle = await FakeEngine().stats()
    shown = figures(idle, idle, elapsed_s=1.0)
    assert (shown.tokens_per_s, shown.ttft_ms_p50, shown.cached_share) == (0.0, None, None)
    assert ("first token", "- ms (p50), - ms (p95)") in lines(idle, shown)


async def test_rates_start_over_with_an_engine_that_was_restarted() -> None:
    idle = await FakeEngine().stats()
    before, now = replace(idle, generated_tokens=900), replace(idle, generated_tokens=30)
    assert figures(before, now, elapsed_s=2.0).tokens_per_s == 15.0


async def test_a_mode_that_is_not_the_configured_one_is_explained() -> None:
    idle = await FakeEngine().stats()
    stats = replace(idle, batching=Batching.GROUPED, batching_reason="this graph is not known")
    text = dict(lines(stats, figures(stats, stats, elapsed_s=1.0)))["batching"]
    assert text == "grouped: this graph is not known"
