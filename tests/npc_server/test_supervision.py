"""When a dead engine is restarted, and when it is given up."""

import asyncio

import pytest

from npc_server import supervision
from npc_server.engine.errors import EngineDiedError, ModelLoadError
from npc_server.engine.fake import FakeEngine
from npc_server.supervision import Supervisor, restart_delay_s


@pytest.mark.parametrize(
    ("deaths", "delay_s"),
    [
        pytest.param([100.0], 0.0, id="first"),
        pytest.param([99.0, 100.0], 0.5, id="second"),
        pytest.param([97.0, 98.0, 100.0], 1.0, id="third"),
        pytest.param([96.0, 97.0, 98.0, 100.0], 2.0, id="fourth"),
        pytest.param([95.0, 96.0, 97.0, 98.0, 100.0], None, id="fifth"),
        pytest.param([10.0, 20.0, 30.0, 40.0, 100.0], 0.0, id="long-ago"),
    ],
)
def test_each_death_of_late_makes_the_next_start_wait_longer(
    deaths: list[float], delay_s: float | None
) -> None:
    assert restart_delay_s(deaths, now=100.0) == delay_s


class Trial:
    """A supervised engine whose first `failures` attempts to come back fail with `error`."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.engine = FakeEngine()
        self.announced: list[bool] = []
        self.supervisor = Supervisor(self.engine, self.bring_up, self.announce)
        self._failures = failures
        self._error = error

    async def bring_up(self) -> None:
        await self.engine.start()
        self._failures -= 1
        if self._failures >= 0:
            raise self._error

    async def announce(self, serving: bool) -> None:
        self.announced.append(serving)

    async def watch(self, until: asyncio.Event) -> None:
        """Let the engine die once and supervise until something happens."""
        self.engine.die()
        task = asyncio.create_task(self.supervisor.run())
        async with asyncio.timeout(5):
            await until.wait()
        task.cancel()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Delays are for crowds of crashing processes, not for tests."""
    monkeypatch.setattr(supervision, "SECOND_DELAY_S", 0.001)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "error", [EngineDiedError("gone"), ModelLoadError("damaged"), OSError("no memory")], ids=repr
)
async def test_an_engine_that_keeps_failing_to_come_back_is_given_up(error: Exception) -> None:
    trial = Trial(failures=100, error=error)
    await trial.watch(until=trial.supervisor.given_up)
    assert trial.announced == [False]
    assert trial.engine.starts == supervision.MAX_DEATHS - 1
    assert not trial.supervisor.serving


@pytest.mark.usefixtures("quick")
async def test_an_engine_that_comes_back_late_is_serving_again() -> None:
    trial = Trial(failures=2, error=EngineDiedError("gone"))
    came_back = asyncio.Event()
    announce = trial.announce

    async def noticed(serving: bool) -> None:
        await announce(serving)
        if serving:
            came_back.set()

    trial.supervisor = Supervisor(trial.engine, trial.bring_up, noticed)
    await trial.watch(until=came_back)
    assert (trial.announced, trial.supervisor.restarts) == ([False, True], 1)
    assert trial.supervisor.serving


@pytest.mark.usefixtures("quick")
async def test_a_base_slow_to_load_does_not_hide_that_it_always_crashes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervision, "WINDOW_S", 0.02)
    trial = Trial(failures=100, error=EngineDiedError("gone"))

    async def slowly() -> None:
        await asyncio.sleep(0.03)
        await trial.bring_up()

    trial.supervisor = Supervisor(trial.engine, slowly, trial.announce)
    await trial.watch(until=trial.supervisor.given_up)
    assert trial.engine.starts == supervision.MAX_DEATHS - 1
