"""Servers over TLS."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import ssl
from pathlib import Path

import pytest

from npc_client.client import Access, Client
from npc_server.config import TlsSection
from tests.support.certificates import Certificate, make_authority, make_certificate
from tests.support.scripted_server import Stage, StageMaker
from tests.support.web_calls import JSON

pytestmark = pytest.mark.service


@pytest.fixture
def authority(tmp_path: Path) -> Certificate:
    return make_authority(tmp_path)


def tls_of(own: Certificate, client_ca: Path | None = None) -> TlsSection:
    return TlsSection(certificate=own.certificate, key=own.key, client_ca=client_ca)


def trusting(authority: Certificate, own: Certificate | None = None) -> Access:
    shown = (own.certificate, own.key) if own else (None, None)
    return Access("", True, authority.certificate, *shown)


async def reaches(stage: Stage, access: Access) -> bool:
    """Whether a new client gets an answer."""
    async with Client(stage.client.address, access) as client:
        return await client.has_characters(timeout_s=3)


async def test_a_client_that_trusts_the_authority_talks(
    stage: StageMaker, tmp_path: Path, authority: Certificate
) -> None:
    own = make_certificate(tmp_path, authority, "server")
    made = await stage(tls=tls_of(own), access=trusting(authority))
    session = await made.client.start_session("mira", "p1")
    assert (await made.client.say(session.session_id, "Hello.")).text


async def test_others_get_no_answer(
    stage: StageMaker, tmp_path: Path, authority: Certificate
) -> None:
    own = make_certificate(tmp_path, authority, "server")
    made = await stage(tls=tls_of(own), access=trusting(authority))
    stranger = make_authority(tmp_path, "stranger")
    assert not await reaches(made, trusting(stranger))
    assert not await reaches(made, Access())


async def test_clients_without_a_certificate_are_refused_where_one_is_wanted(
    stage: StageMaker, tmp_path: Path, authority: Certificate
) -> None:
    own, client = (make_certificate(tmp_path, authority, name) for name in ("server", "client"))
    certified = trusting(authority, client)
    made = await stage(tls=tls_of(own, authority.certificate), access=certified)
    assert await reaches(made, certified)
    assert not await reaches(made, trusting(authority))


async def test_a_renewed_certificate_counts_and_streams_go_on(
    stage: StageMaker, tmp_path: Path, authority: Certificate
) -> None:
    own = make_certificate(tmp_path, authority, "server")
    made = await stage(tls=tls_of(own), access=trusting(authority))
    session = (await made.client.start_session("mira", "p1")).session_id
    made.engine.gate.clear()
    running = asyncio.create_task(made.client.say(session, "Hello."))
    renewed = make_authority(tmp_path, "renewed")
    make_certificate(tmp_path, renewed, "server")
    assert await reaches(made, trusting(renewed))
    made.engine.gate.set()
    assert (await running).text


async def test_a_damaged_certificate_changes_nothing(
    stage: StageMaker, tmp_path: Path, authority: Certificate
) -> None:
    own = make_certificate(tmp_path, authority, "server")
    made = await stage(tls=tls_of(own), access=trusting(authority))
    own.certificate.write_text("no certificate")
    assert await reaches(made, trusting(authority))


async def test_the_http_port_shows_the_same_certificate(
    stage: StageMaker, tmp_path: Path, authority: Certificate, web_port: int
) -> None:
    own = make_certificate(tmp_path, authority, "server")
    await stage(tls=tls_of(own), access=trusting(authority), http_port=web_port)

    def ask(trusted: Path) -> int:
        context = ssl.create_default_context(cafile=str(trusted))
        link = http.client.HTTPSConnection("127.0.0.1", web_port, timeout=10, context=context)
        with contextlib.closing(link):
            link.request("POST", "/npc.v1.Personas/List", b"{}", JSON)
            return link.getresponse().status

    assert await asyncio.to_thread(ask, authority.certificate) == 200
    stranger = make_authority(tmp_path, "stranger")
    with pytest.raises(ssl.SSLError):
        await asyncio.to_thread(ask, stranger.certificate)
