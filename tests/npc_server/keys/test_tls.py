"""Whether a server may listen, and under which certificate."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from npc_server.errors import ConfigError
from npc_server.keys.tls import FollowedTls, TlsFiles, is_loopback, require_guarded
from tests.support.certificates import make_authority


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1", "[::1]"])
def test_a_loopback_is_for_this_machine(host: str) -> None:
    assert is_loopback(host)
    require_guarded(host, has_tls=False, has_keys=False, insecure=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "[::]", "192.0.2.1", "", "no such host"])
@pytest.mark.parametrize(
    ("has_tls", "has_keys", "told"),
    [(False, True, r"\[tls\]"), (True, False, "npc keys new"), (False, False, "Do both")],
)
def test_strangers_come_over_tls_and_with_keys_alone(
    host: str, has_tls: bool, has_keys: bool, told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        require_guarded(host, has_tls=has_tls, has_keys=has_keys, insecure=False)
    require_guarded(host, has_tls=True, has_keys=True, insecure=False)


def test_insecure_is_said_aloud(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        require_guarded("0.0.0.0", has_tls=False, has_keys=False, insecure=True)
    assert "serving --insecure" in caplog.text


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    one, other = make_authority(tmp_path, "one"), make_authority(tmp_path, "other")
    with pytest.raises(ConfigError, match=r"one\.pem"):
        FollowedTls(TlsFiles(one.certificate, other.key))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    one = make_authority(tmp_path, "one")
    with pytest.raises(ConfigError, match=r"\[tls\]"):
        FollowedTls(TlsFiles(one.certificate, tmp_path / "missing.key"))
