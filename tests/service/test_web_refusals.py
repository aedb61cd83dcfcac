"""What the HTTP port does not take, and what it says about it."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from npc_server.doors.rpcs import MAX_MESSAGE_BYTES
from tests.support.web_calls import GRPC_WEB, GRPC_WEB_TEXT, JSON, PAGE, ask, frames

pytestmark = [pytest.mark.service, pytest.mark.usefixtures("web_stage")]

RPC = "Dialogue/StartSession"
PROTO = {"content-type": "application/proto"}
ZIPPED = {**JSON, "content-encoding": "gzip"}
HASTY = {**JSON, "connect-timeout-ms": "soon"}
TOO_LARGE = b" " * (MAX_MESSAGE_BYTES + 1)
LIMIT = str(MAX_MESSAGE_BYTES)

BAD_INPUT = {
    "field": (b'{"charakter": "mira"}', JSON, "invalid_argument", "charakter"),
    "half": (b"{", JSON, "invalid_argument", "unmarshal"),
    "proto": (b"\xff", PROTO, "invalid_argument", "unmarshal"),
    "bomb": (gzip.compress(TOO_LARGE), ZIPPED, "resource_exhausted", LIMIT),
    "large": (TOO_LARGE, JSON, "resource_exhausted", LIMIT),
    "zip": (b"{}", ZIPPED, "invalid_argument", "decompress"),
    "timeout": (b"{}", HASTY, "invalid_argument", "soon"),
    "header": (b"{}", {**JSON, "x-mood": "\xff"}, "invalid_argument", "x-mood"),
}

NO_CALLS = {
    "rpc": ("Dialogue/Nope", "POST", JSON, 404),
    "verb": (RPC, "GET", JSON, 405),
    "type": (RPC, "POST", {"content-type": "text/plain"}, 415),
    "head": (RPC, "POST", {**JSON, "x": "a" * 20_000}, 400),
    "origin": (RPC, "POST", {**JSON, "origin": "https://evil.example"}, 403),
    "preflight": (RPC, "OPTIONS", {"origin": "https://evil.example"}, 403),
}


@pytest.mark.parametrize("case", BAD_INPUT)
async def test_bad_input_gets_one_precise_error(web_port: int, case: str) -> None:
    body, headers, code, what = BAD_INPUT[case]
    told = json.loads((await ask(web_port, RPC, body, headers)).body)
    assert (told["code"], what in told["message"]) == (code, True)


@pytest.mark.parametrize("case", NO_CALLS)
async def test_what_is_no_call_is_refused(web_port: int, case: str) -> None:
    rpc, verb, headers, status = NO_CALLS[case]
    assert (await ask(web_port, rpc, b"{}", headers, verb)).status == status


async def test_a_page_that_is_not_listed_is_told_where_to_list_it(web_port: int) -> None:
    got = await ask(web_port, RPC, b"{}", {**JSON, "origin": "https://evil.example"})
    assert "[http] origins" in json.loads(got.body)["message"]


async def test_a_page_that_is_listed_is_told_that_it_may(web_port: int) -> None:
    asked = {"origin": PAGE, "access-control-request-method": "POST"}
    got = await ask(web_port, RPC, b"", asked, "OPTIONS")
    assert (got.status, got.headers["access-control-allow-origin"]) == (204, PAGE)
    assert "connect-protocol-version" in got.headers["access-control-allow-headers"]


async def test_a_page_that_is_listed_may_read_the_answer(web_port: int) -> None:
    got = await ask(web_port, RPC, b"{}", {**JSON, "origin": PAGE})
    assert got.headers["access-control-allow-origin"] == PAGE
    assert "grpc-status" in got.headers["access-control-expose-headers"]


@pytest.mark.parametrize("sent", [b"\0\0\0\0\x09a", b"\0\0", b"\0\xff\xff\xff\xff"])
async def test_a_broken_frame_is_refused_in_a_trailer(web_port: int, sent: bytes) -> None:
    got = await ask(web_port, "Dialogue/Say", sent, GRPC_WEB)
    ((flags, trailers),) = frames(got.body)
    assert (got.status, flags) == (200, 0x80)
    assert trailers.splitlines()[0] in (b"grpc-status: 3", b"grpc-status: 8")


async def test_text_that_is_no_base64_is_refused(web_port: int) -> None:
    got = await ask(web_port, "Dialogue/Say", b"!!!!", GRPC_WEB_TEXT)
    ((_, trailers),) = frames(base64.b64decode(got.body))
    assert trailers.startswith(b"grpc-status: 3")
