"""The whole loop once, in the terminal: talk, react, train, swap in, compare.

Every stage uses what a user has: the `npc` commands and the gRPC API. The measure at the end is the
share of replies to held-out questions that players of the stated taste like, before and after. To
save minutes no reward head is trained, so the gate has one rule less to decide by; its other rules,
questions and limits are those of every night.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from npc_client import demo_report, demo_time, server_process
from npc_client.client import Client, Reply, ServerNotReadyError
from npc_client.players import Visit, lines_of, play, population, visits
from npc_client.tastes import BLUNT

LEARNER = "mira"
CAST = {"mira": "bright_red", "fenn": "bright_cyan", "orsolo": "bright_yellow"}
PLAYERS = 32
LINES_PER_VISIT = 2
MIN_ROUNDS, MAX_ROUNDS, ROUNDS_AGAIN = 2, 4, 2
VISITS_AT_ONCE = 8
TAKES_PER_QUESTION = 3
STREAMS_DURING_SWAP = 4
SEED = 2
# Eight players are held out, two of whom pick. Rows of one player agree, so the gate draws players:
# of five, the one whose choices it gets wrong is a third of one draw in twenty.
PLAYER_KEY_SEED = b"troupe demo 6"


#: Set for all programs of the demo, before what the configuration says.
SETTINGS = {"NPC_TRAINING_REWARD_HEAD": "false"}


class DemoError(Exception):
    """A stage did not do what it should show."""


@dataclass
class Show:
    """What one run of the demo has found so far."""

    console: Console
    folder: Path
    stage_s: dict[str, float] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    before: list[Reply] = field(default_factory=list)
    after: list[Reply] = field(default_factory=list)
    readiness: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    swap: str = ""
    failure: str = ""

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """A titled, timed stage."""
        self.console.print()
        self.console.rule(f"[bold]{len(self.stage_s) + 1}. {title}", align="left")
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.stage_s[title] = time.perf_counter() - begun


def run(console: Console, report: Path | None, keep: Path | None) -> bool:
    """Run the demo; returns whether every stage did its part."""
    with _folder(keep) as folder:
        show = Show(console, folder)
        os.environ.update(SETTINGS, NPC_PATHS_DATA=str(folder))
        _foretell(console)
        try:
            asyncio.run(_perform(show))
        except (DemoError, ServerNotReadyError, grpc.aio.AioRpcError, OSError) as error:
            show.failure = str(error) or repr(error)
            _show_failure(show)
        finally:
            _summarise(show, report)
    return not show.failure


def _foretell(console: Console) -> None:
    cores = len(os.sched_getaffinity(0))
    foretold = demo_time.foretell(demo_time.measure_core_flops(), cores)
    console.print(
        f"The demo takes {foretold} here, on {cores} cores as busy as they are now, with the"
        " embedded base. Two thirds of it are the training and its examination."
    )


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=False)
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="npc-demo-") as folder:
        yield Path(folder)


async def _perform(show: Show) -> None:
    with show.stage("Fetch the base model"):
        _npc("model", "pull")
    _settle_who_is_held_out(show.folder)
    async with _server(show) as address, Client(address) as client:
        with show.stage("Talk to three characters at once"):
            await _talk(show, client)
        with show.stage("Ask the questions that will be asked again"):
            show.before = await _ask(show, client)
            show.console.print(f"{len(show.before)} replies kept for the comparison.")
        await _learn(show, client)
        with show.stage("Swap the new version in while people talk"):
            await _swap(show, client)
        with show.stage("Ask the same questions again"):
            show.after = await _ask(show, client)
            _compare(show)


def _settle_who_is_held_out(folder: Path) -> None:
    """Give the server a known key of players, because it decides which of them are held out."""
    key = folder / "player.key"
    key.touch(mode=0o600)
    key.write_text(hashlib.sha256(PLAYER_KEY_SEED).hexdigest())


@asynccontextmanager
async def _server(show: Show) -> AsyncIterator[str]:
    with show.stage("Start the server"):
        manager = server_process.server(show.folder / "server.log")
        with show.console.status("It loads the model and says a first word to itself."):
            running = await manager.__aenter__()
        show.console.print(f"SERVING on {running.address}, process {running.process.pid}")
    try:
        yield running.address
    finally:
        await manager.__aexit__(*sys.exc_info())


async def _talk(show: Show, client: Client) -> None:
    texts = dict.fromkeys(CAST, "")
    first_word_ms: dict[str, float] = {}

    def lines() -> Text:
        shown = Text()
        for name, color in CAST.items():
            delay = f" ({first_word_ms[name]:.0f} ms)" if name in first_word_ms else ""
            shown.append(f"{name}{delay}: ", style=f"bold {color}").append(
                f"{texts[name]}\n", color
            )
        return shown

    with Live(lines(), console=show.console, refresh_per_second=12) as live:

        async def meet(name: str) -> None:
            def grow(text: str) -> None:
                texts[name] += text
                live.update(lines())

            session = await client.start_session(name, "visitor")
            line = lines_of(name, "questions")[0]
            reply = await client.say(session.session_id, line, seed=SEED, on_text=grow)
            first_word_ms[name] = reply.ttft_ms
            live.update(lines())

        await asyncio.gather(*(meet(name) for name in CAST))
    show.console.print("In brackets: time to the first word.", style="dim")


async def _ask(show: Show, client: Client) -> list[Reply]:
    """Every held-out question, each several times under fixed seeds, in a fresh session."""
    takes = range(TAKES_PER_QUESTION)
    asked = [(question, take) for question in lines_of(LEARNER, "questions") for take in takes]
    with _count(show, "replies", len(asked)) as count:

        async def ask(question: str, seed: int) -> Reply:
            session = await client.start_session(LEARNER, "judge")
            reply = await client.say(session.session_id, question, seed=seed)
            count()
            return reply

        return list(await asyncio.gather(*(ask(question, take) for question, take in asked)))


@contextmanager
def _count(show: Show, what: str, total: int) -> Iterator[Callable[[], None]]:
    """Show how many of `total` are done, by calls of what is yielded."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=show.console) as bars:
        task = bars.add_task(what, total=total)
        yield lambda: bars.advance(task)


async def _learn(show: Show, client: Client) -> None:
    """One evening and its night; another, if the gate refuses what the first one made."""
    every = MAX_ROUNDS + ROUNDS_AGAIN
    planned = visits(population(PLAYERS, BLUNT), LEARNER, LINES_PER_VISIT, every, SEED)
    with show.stage("Let players with a taste play"):
        show.console.print(f"{PLAYERS} players, whose taste is: {BLUNT.wish}.")
        await _play(show, client, planned[:MAX_ROUNDS])
    with show.stage("Train Mira on what they did"):
        published = _train(show)
    if not published:
        show.console.print("Nothing went live. The players come back, and Mira is trained again.")
        with show.stage("Let them play another evening"):
            await _play(show, client, planned[MAX_ROUNDS:], least=ROUNDS_AGAIN)
        with show.stage("Train Mira on both evenings"):
            published = _train(show)
    if not published:
        raise DemoError(f"the gate rejected the candidate: {show.training['reason']}")


async def _play(
    show: Show, client: Client, planned: Sequence[Sequence[Visit]], least: int = MIN_ROUNDS
) -> None:
    """Play rounds until there is enough to train on, `least` of them at least."""
    with Live(_counts_table(show), console=show.console) as live:
        for number, round_ in enumerate(planned, start=1):
            await _play_round(show, client, round_, live)
            show.readiness = await asyncio.to_thread(_readiness)
            live.update(_counts_table(show))
            if show.readiness["state"] == "ready" and number >= least:
                return
    raise DemoError(f"after {len(planned)} rounds of visits: {show.readiness['reason']}")


async def _play_round(show: Show, client: Client, round_: Sequence[Visit], live: Live) -> None:
    places = asyncio.Semaphore(VISITS_AT_ONCE)

    async def visit(one: Visit) -> None:
        async with places:
            await play(client, one, show.counts)
        live.update(_counts_table(show))

    await asyncio.gather(*(visit(one) for one in round_))


def _counts_table(show: Show) -> Table:
    kinds = ("sessions", "replies", "thumbs", "edits", "choices")
    table = Table(*kinds, "pairs to train on", "held out", "")
    table.add_row(
        *(str(show.counts[kind]) for kind in kinds),
        str(show.readiness.get("train_pairs", 0)),
        str(show.readiness.get("held_out_pairs", 0)),
        str(show.readiness.get("state", "")),
    )
    return table


def _readiness() -> dict[str, Any]:
    done = subprocess.run(
        _npc_command("train", LEARNER, "--readiness", "--json"),
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout:
        raise DemoError(f"npc train --readiness failed: {done.stderr.strip()}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _train(show: Show) -> bool:
    """Train a candidate; returns whether the gate let it be published."""
    outcome = show.folder / "outcome.json"
    with outcome.open("w") as file:
        # Progress and the gate's table go to the terminal, the outcome to the file.
        code = subprocess.run(
            _npc_command("train", LEARNER, "--no-promote", "--json"), stdout=file, check=False
        ).returncode
    if code not in (0, 1):
        raise DemoError(f"npc train {LEARNER} ended with exit code {code}")
    show.training = json.loads(outcome.read_text())
    if code != 0:
        show.console.print(f"The gate refused it: {show.training['reason']}", markup=False)
        return False
    show.console.print(f"Published as {show.training['version']}; not live yet.")
    return True


async def _swap(show: Show, client: Client) -> None:
    version = show.training["version"]
    begun = asyncio.Event()

    async def stream(number: int) -> Reply:
        session = await client.start_session(LEARNER, f"bystander-{number}")
        question = lines_of(LEARNER, "questions")[number]
        return await client.say(
            session.session_id, question, seed=number, on_text=lambda _: begun.set()
        )

    streams = [asyncio.create_task(stream(number)) for number in range(STREAMS_DURING_SWAP)]
    await begun.wait()
    await client.promote(LEARNER, version)
    replies = await asyncio.gather(*streams)
    crossed = [r for r in replies if r.adapter_version != r.live_adapter_version == version]
    fresh = await client.start_session(LEARNER, "newcomer")
    if not crossed or fresh.adapter_version != version:
        raise DemoError("no stream ran across the promotion, or new sessions kept the old version")
    show.swap = (
        f"{len(crossed)} of {len(replies)} running streams finished under "
        f"{crossed[0].adapter_version or 'the base'} while {version} went live; "
        "the next session speaks under the new version."
    )
    show.console.print(show.swap)


def _compare(show: Show) -> None:
    questions = lines_of(LEARNER, "questions")
    table = Table("question", "before", "after", show_lines=True)
    for number, question in enumerate(questions):
        first = number * TAKES_PER_QUESTION
        table.add_row(question, show.before[first].text, show.after[first].text)
    show.console.print(table)
    result = demo_report.compare(BLUNT, _texts(show.before), _texts(show.after))
    if result.liked_after <= result.liked_before or result.preferred <= 0.5:
        raise DemoError(f"players do not like the new version better: {result.sentence}")


def _texts(replies: Sequence[Reply]) -> list[str]:
    return [reply.text for reply in replies]


def _summarise(show: Show, report: Path | None) -> None:
    markdown = demo_report.markdown(
        demo_report.Findings(
            stage_s=show.stage_s,
            counts=dict(show.counts),
            training=show.training,
            swap=show.swap,
            questions=lines_of(LEARNER, "questions"),
            takes_per_question=TAKES_PER_QUESTION,
            before=_texts(show.before),
            after=_texts(show.after),
            taste=BLUNT,
            failure=show.failure,
        )
    )
    show.console.rule("[bold]Summary", align="left")
    show.console.print(demo_report.short(markdown), markup=False, highlight=False)
    if report is not None:
        beside = report.with_name(f"{report.name}.part")
        beside.write_text(markdown, encoding="utf-8")
        beside.replace(report)  # never half a report
        show.console.print(f"Written to {report}")


def _show_failure(show: Show) -> None:
    show.console.print(f"FAILED: {show.failure}", style="bold red", markup=False)
    log = show.folder / "server.log"
    if log.is_file() and (tail := log.read_text("utf-8", "replace")[-1500:].strip()):
        show.console.print(f"The end of the server's log:\n{tail}", markup=False, style="dim")


def _npc(*arguments: str) -> None:
    code = subprocess.run(_npc_command(*arguments), check=False).returncode
    if code != 0:
        raise DemoError(f"npc {' '.join(arguments)} ended with exit code {code}")


def _npc_command(*arguments: str) -> list[str]:
    installed = shutil.which("npc", path=str(Path(sys.executable).parent))
    program = [installed] if installed else [sys.executable, "-m", "npc_server.commands.main"]
    return [*program, *arguments]
