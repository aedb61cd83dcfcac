"""A model hub on loopback: what huggingface_hub asks for, and all that goes wrong on the way.

Two servers, as in reality: the hub, which knows repositories and redirects, and a store on another
port that sends bytes by ranges and must never see a token. Faults are set on the emulator and hold
until they are changed.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

NEWEST = "c" * 40
TOKEN = "hf_lets_in"


@dataclass(frozen=True)
class Repo:
    """A repository: files by path, the same at every revision."""

    files: Mapping[str, bytes]
    license: str = "apache-2.0"
    gated: bool = False  # only TOKEN is let in
    revisions: tuple[str, ...] = ("main", NEWEST)


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    range: str  # "" = none
    token: str  # "" = none
    of_store: bool  # else of the hub


@dataclass
class HubEmulator:
    """The hub's repositories, its faults, and what it was asked."""

    repos: dict[str, Repo]
    asked: list[Asked] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)  # bytes after which the next answers break off
    knows_ranges: bool = True
    sends_instead: bytes | None = None  # of every file, whatever it should be
    status: int = 0  # of every answer of the hub; 0 = what is right
    pause_s: float = 0.0  # between two pieces that are sent
    address: str = ""
    store_address: str = ""

    @property
    def ranges(self) -> list[str]:
        """The ranges that the store was asked for, in order; "" = all of a file."""
        return [one.range for one in self.asked if one.of_store]


def go_online(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client library speak, which the trainer forbids when a test imports it, as nobody."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", "/nowhere")
    for name in ("HF_HUB_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def hub_emulator(repos: Mapping[str, Repo]) -> Iterator[HubEmulator]:
    """Run a hub with these repositories."""
    emulator = HubEmulator(dict(repos))
    with _served(emulator, _Store) as store, _served(emulator, _Hub) as hub:
        emulator.address, emulator.store_address = hub, store
        yield emulator


@contextmanager
def _served(emulator: HubEmulator, handler: type[_Handler]) -> Iterator[str]:
    bound = type(handler.__name__, (handler,), {"emulator": emulator})
    server = ThreadingHTTPServer(("127.0.0.1", 0), bound)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """What both servers have in common."""

    emulator: HubEmulator
    of_store = False
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Stay quiet."""

    def _note(self) -> str:
        """Keep what is asked, and return its path."""
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        asked_range = self.headers.get("Range") or ""
        path = unquote(urlsplit(self.path).path)
        self.emulator.asked.append(Asked(self.command, path, asked_range, token, self.of_store))
        return path

    def _send(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Hub(_Handler):
    """Knows repositories, and redirects to the store."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = self._note()
        if self.emulator.status:
            self._send(self.emulator.status, {"X-Error-Message": "as it was told"})
        elif path.startswith("/api/models"):
            self._describe(path.removeprefix("/api/models").strip("/"))
        else:
            self._resolve(path.strip("/"))

    def _resolve(self, path: str) -> None:
        """Redirect `OWNER/REPO/resolve/REVISION/FILE` to the store."""
        name, _, rest = path.partition("/resolve/")
        revision, _, file = rest.partition("/")
        repo = self._repo(name)
        if repo is None:
            return
        if revision not in repo.revisions:
            self._send(404, {"X-Error-Code": "RevisionNotFound"})
        elif file not in repo.files:
            self._send(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": NEWEST})
        else:
            content = repo.files[file]
            stated = {
                "X-Repo-Commit": NEWEST,
                "X-Linked-Etag": f'"{hashlib.sha256(content).hexdigest()}"',
                "X-Linked-Size": str(len(content)),
                "Location": f"{self.emulator.store_address}/{name}/{file}?signed=yes",
            }
            self._send(302, stated)

    def _repo(self, name: str) -> Repo | None:
        """The repository, if whoever asks may see it; else it is refused here."""
        repo, token = self.emulator.repos.get(name), self.emulator.asked[-1].token
        if repo is None:
            self._send(404 if token else 401, {"X-Error-Code": "RepoNotFound"})
        elif repo.gated and token != TOKEN:
            self._send(403 if token else 401, {"X-Error-Code": "GatedRepo"})
        else:
            return repo
        return None

    def _describe(self, path: str) -> None:
        """Answer as the API: models of an owner, a model, its tree, its revisions."""
        if not path:
            owner = parse_qs(urlsplit(self.path).query).get("author", [""])[0]
            self._send_json([{"id": n} for n in self.emulator.repos if n.startswith(f"{owner}/")])
            return
        name = "/".join(path.split("/")[:2])
        repo = self._repo(name)
        if repo is None:
            return
        what = path.removeprefix(name).strip("/").split("/")[0]
        if what == "tree":
            self._send_json(
                [
                    {"type": "file", "path": file, "size": len(content), "oid": "0" * 40}
                    for file, content in repo.files.items()
                ]
            )
        elif what == "refs":
            branches = [
                {"name": one, "ref": f"refs/heads/{one}", "targetCommit": NEWEST}
                for one in repo.revisions
                if one != NEWEST
            ]
            self._send_json({"branches": branches, "converts": [], "tags": []})
        else:
            card = {"license": repo.license}
            self._send_json({"id": name, "sha": NEWEST, "cardData": card, "siblings": []})

    def _send_json(self, what: object) -> None:
        self._send(200, {"Content-Type": "application/json"}, json.dumps(what).encode())


class _Store(_Handler):
    """Sends bytes, by ranges."""

    of_store = True

    def do_GET(self) -> None:
        path = self._note().strip("/")
        name = "/".join(path.split("/")[:2])
        content = self.emulator.repos[name].files[path.removeprefix(f"{name}/")]
        content = content if self.emulator.sends_instead is None else self.emulator.sends_instead
        asked_range = self.emulator.asked[-1].range
        begin = int(asked_range.removeprefix("bytes=").rstrip("-") or 0)
        begin = begin if self.emulator.knows_ranges else 0
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self._send_slowly(content[begin:])

    def _send_slowly(self, body: bytes) -> None:
        """Send a body in pieces, or a part of it and then nothing more."""
        cut = self.emulator.cuts.pop(0) if self.emulator.cuts else len(body)
        piece = max(1, min(len(body) // 20, 1 << 16))
        for start in range(0, min(cut, len(body)), piece):
            try:
                self.wfile.write(body[start : min(start + piece, cut)])
            except (BrokenPipeError, ConnectionResetError):
                break  # whoever asked is gone
            time.sleep(self.emulator.pause_s)
        if cut < len(body):
            self.close_connection = True
            self.connection.close()
