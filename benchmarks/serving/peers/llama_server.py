"""llama.cpp's own server over HTTP, with every adapter loaded and one chosen per request.

A user keeps a slot, so that a slot's cached prefix never meets another adapter: the kindest setting
for this peer, which drops a slot's cache whenever its adapter changes.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from benchmarks.errors import PeerBrokeError, PeerMissingError
from benchmarks.serving.peers import Capacity, PlayerTurn

START_TIMEOUT_S = 120.0


class LlamaServer:
    """One `llama-server` process."""

    def __init__(
        self,
        program: Path | None,
        base: Path,
        adapters: Sequence[Path],
        capacity: Capacity,
        log: Path,
    ) -> None:
        self.name = "llama-server"
        self._program = program
        self._base = base
        self._adapters = adapters
        self._capacity = capacity
        self._log = log
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start the process and wait until it is healthy."""
        if self._program is None:
            raise PeerMissingError("llama-server is not on the PATH; name it with --llama-server")
        self._port = _free_port()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._program), *self._flags()], stdout=log, stderr=log
            )
        await self._wait_until_healthy()

    def _flags(self) -> list[str]:
        capacity = self._capacity
        tokens = capacity.sequences * capacity.context_tokens
        adapters = ",".join(str(path) for path in self._adapters)
        threads = f"-t {capacity.threads} -tb {capacity.threads}"
        flags = f"-np {capacity.sequences} -c {tokens} {threads}".split()
        address = ["--host", "127.0.0.1", "--port", str(self._port)]
        lora = ["--lora", adapters, "--lora-init-without-apply"]
        return ["-m", str(self._base), *flags, *lora, *address]

    async def _wait_until_healthy(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                async with aclosing(_request(self._port, "GET", "/health", None)) as answer:
                    async for _ in answer:
                        return
            except PeerBrokeError:
                await asyncio.sleep(0.2)
        tail = self._log.read_text(errors="replace")[-1000:]
        raise PeerBrokeError(f"llama-server did not come up:\n{tail}")

    async def ready(self, turns: Sequence[PlayerTurn]) -> None:
        """Nothing: requests carry everything."""

    async def say(self, turn: PlayerTurn) -> AsyncGenerator[int]:
        """Complete the turn's ids in its user's slot, under its character's adapter."""
        seen, total = 0, None
        async with aclosing(self._events(_completion(turn))) as events:
            async for event in events:
                if event.get("stop"):
                    _check_prompt(event, turn)
                    total = int(event["tokens_predicted"])
                elif event.get("tokens"):
                    seen += len(event["tokens"])
                    yield len(event["tokens"])
        if total is None:
            raise PeerBrokeError("llama-server hung up in the middle of a reply")
        yield total - seen

    async def _events(self, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        pending = b""
        async with aclosing(_request(self._port, "POST", "/completion", body)) as chunks:
            async for chunk in chunks:
                *complete, pending = (pending + chunk).split(b"\n\n")
                for event in complete:
                    if event.startswith(b"data: {"):
                        yield json.loads(event.removeprefix(b"data: "))

    async def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.terminate()
            try:
                await asyncio.to_thread(self._process.wait, 20)
            except subprocess.TimeoutExpired:
                self._process.kill()
            self._process = None


def version(program: Path) -> str:
    """The version that llama-server prints."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).partition("\n")[0].strip()


def _completion(turn: PlayerTurn) -> dict[str, Any]:
    drawn = turn.sampling
    return {
        "prompt": turn.ids,
        "id_slot": turn.user,
        "lora": [{"id": turn.member.index, "scale": 1.0}],
        "n_predict": drawn.max_tokens,
        "ignore_eos": True,
        "cache_prompt": True,
        "stream": True,
        "return_tokens": True,
        "samplers": ["penalties", "top_k", "top_p", "min_p", "temperature"],
        "temperature": drawn.temperature,
        "top_k": drawn.top_k,
        "top_p": drawn.top_p,
        "min_p": drawn.min_p,
        "repeat_penalty": drawn.repeat_penalty,
        "repeat_last_n": drawn.repeat_window_tokens,
        "seed": drawn.seed,
    }


def _check_prompt(event: dict[str, Any], turn: PlayerTurn) -> None:
    if event["tokens_evaluated"] != len(turn.ids):
        raise PeerBrokeError(
            f"llama-server read a prompt of {event['tokens_evaluated']} tokens, not {len(turn.ids)}"
        )


async def _request(
    port: int, method: str, path: str, body: dict[str, Any] | None
) -> AsyncGenerator[bytes]:
    """The body of an HTTP answer, chunk by chunk. Raises PeerBrokeError."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError as error:
        raise PeerBrokeError(f"llama-server cannot be reached: {error}") from error
    try:
        writer.write(_encoded(method, path, body))
        headers = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        if " 200 " not in headers.partition("\r\n")[0]:
            raise PeerBrokeError(f"llama-server: {headers} {(await reader.read(1000))!r}")
        if "transfer-encoding: chunked" in headers:
            while size := int(await reader.readline(), 16):
                yield (await reader.readexactly(size + 2))[:-2]
        else:
            yield await reader.read()
    except (OSError, ValueError, asyncio.IncompleteReadError) as error:
        raise PeerBrokeError(f"llama-server hung up: {error!r}") from error
    finally:
        writer.close()


def _encoded(method: str, path: str, body: dict[str, Any] | None) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
    )
    return "\r\n".join(head).encode() + b"\r\n\r\n" + content


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
