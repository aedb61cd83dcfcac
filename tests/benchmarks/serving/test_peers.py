"""The peers, against small real things."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from benchmarks.errors import PeerBrokeError, PeerMissingError
from benchmarks.serving.cast import Adapters, Base, Cast, open_base, write_cast
from benchmarks.serving.load import all_to_one, lengthened, one_each, play
from benchmarks.serving.peers import Capacity
from benchmarks.serving.peers.bare_decode import bare_decode
from benchmarks.serving.peers.llama_server import LlamaServer
from benchmarks.serving.peers.troupe import Troupe

CAPACITY = Capacity(sequences=2, context_tokens=1024, threads=1)
REPLY_TOKENS = 6


@pytest.fixture
def base(tiny_model: Path) -> Base:
    return open_base(tiny_model)


@pytest.fixture
def adapters(base: Base, tmp_path: Path) -> Adapters:
    return Adapters(tmp_path / "adapters", base)


@pytest.fixture
def cast(base: Base, adapters: Adapters, tmp_path: Path) -> Cast:
    return write_cast(tmp_path, base, adapters, 2, 500)


async def test_the_bare_loop_says_exactly_the_tokens_it_should(
    base: Base, adapters: Adapters, cast: Cast, tmp_path: Path
) -> None:
    peer = bare_decode(base, adapters.gguf(0), CAPACITY, tmp_path / "bare.log")
    await peer.start()
    for number in range(2):
        turns = [lengthened(t, REPLY_TOKENS) for t in all_to_one(cast, base.vocab, 2, number)]
        played = await play(peer, turns, users=2)
        assert [reply.tokens for reply in played.replies] == [REPLY_TOKENS] * 2
    await peer.stop()


@pytest.mark.service
async def test_the_server_is_played_with_as_it_is_served(base: Base, cast: Cast) -> None:
    peer = Troupe("ours", base, cast, CAPACITY)
    await peer.start()
    turns = [lengthened(turn, REPLY_TOKENS) for turn in one_each(cast, base.vocab, 2, 0)]
    played = await play(peer, turns, users=2)
    await peer.stop()
    assert [reply.tokens for reply in played.replies] == [REPLY_TOKENS] * 2
    assert {reply.character for reply in played.replies} == {"c000", "c001"}


#: Speaks llama-server's protocol: two tokens, events cut anywhere; hangs up on user 1.
SCRIPT = """#!{python}
import http.server, json, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer([b"{{}}"])

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if asked["id_slot"] == 1:
            return self.answer([b'data: {{"tokens":[7]}}\\n\\n'])
        end = {{"stop": True, "tokens_predicted": 2, "tokens_evaluated": len(asked["prompt"])}}
        said = ['{{"tokens":[7]}}', '{{"tokens":[8]}}', json.dumps(end)]
        text = "".join(f"data: {{event}}\\n\\n" for event in said).encode()
        self.answer([text[:20], text[20:45], text[45:]])

    def answer(self, chunks):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(b"%x\\r\\n%s\\r\\n" % (len(chunk), chunk))
        self.wfile.write(b"0\\r\\n\\r\\n")

port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@pytest.fixture
async def llama_server(tmp_path: Path, base: Base) -> AsyncIterator[LlamaServer]:
    program = tmp_path / "llama-server"
    program.write_text(SCRIPT.format(python=sys.executable))
    program.chmod(0o755)
    peer = LlamaServer(program, base.path, [], CAPACITY, tmp_path / "log")
    await peer.start()
    yield peer
    await peer.stop()


async def test_events_of_llama_server_are_put_together(
    llama_server: LlamaServer, base: Base, cast: Cast
) -> None:
    played = await play(llama_server, one_each(cast, base.vocab, 1, 0), users=1)
    assert [(reply.tokens, len(reply.arrived_s)) for reply in played.replies] == [(2, 2)]


async def test_a_llama_server_that_hangs_up_is_broken(
    llama_server: LlamaServer, base: Base, cast: Cast
) -> None:
    with pytest.raises(PeerBrokeError, match="hung up"):
        await play(llama_server, one_each(cast, base.vocab, 2, 0), users=2)


async def test_a_llama_server_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(PeerMissingError, match="--llama-server"):
        await LlamaServer(None, tmp_path / "base.gguf", [], CAPACITY, tmp_path / "log").start()
