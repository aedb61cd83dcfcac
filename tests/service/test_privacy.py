"""What is stored of a player: a pseudonym, their consent, and words without personal data."""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from feedback_store.errors import KeyFileError
from feedback_store.privacy.policy import Mode
from feedback_store.records import Edit, Session
from npc_server import retention
from npc_server.config import Config, PathsConfig, PrivacySection
from npc_server.parts import open_store
from npc_server.personal_data import warn_if_off
from tests.support.scripted_server import KEEP, PSEUDONYMS, Stage, StageMaker

pytestmark = pytest.mark.service


def everything(stage: Stage) -> bytes:
    """All bytes of the store's files."""
    return b"".join(path.read_bytes() for path in stage.folder.glob("feedback.db*"))


@pytest.mark.parametrize("consent", [True, False])
async def test_consent_is_kept_with_the_session_and_its_turns(
    stage: StageMaker, consent: bool
) -> None:
    made = await stage()
    session = await made.client.start_session("mira", "p1", training_consent=consent)
    reply = await made.client.say(session.session_id, "Hello.")
    record, turn = made.store.session(session.session_id), made.store.turn(reply.turn_id)
    assert record is not None
    assert turn is not None
    assert record.consent is turn.consent is consent


async def test_nothing_said_about_consent_means_no(stage: StageMaker) -> None:
    made = await stage()
    session = await made.client.start_session("mira", "p1")
    record = made.store.session(session.session_id)
    assert record is not None
    assert not record.consent


async def test_the_cast_and_the_studios_words_are_heard_as_they_are(stage: StageMaker) -> None:
    words = ("Blackwater_99", "Order of 1204")
    made = await stage(privacy=KEEP.model_copy(update={"never_personal": words}))
    session = await made.client.start_session("mira", "p1", training_consent=True)
    line = "@Mira.where is @blackwater_99? Ask @bob_k."
    reply = await made.client.say(session.session_id, line)
    turn = made.store.turn(reply.turn_id)
    assert turn is not None
    assert turn.player_text == "@Mira.where is @blackwater_99? Ask [handle]."


@pytest.mark.parametrize(
    ("mode", "kept"),
    [
        (Mode.ON, "The gate code is 0412 555 019, mail [email]."),
        (Mode.STRICT, "The gate code is [phone], mail [email]."),
        (Mode.OFF, "The gate code is 0412 555 019, mail bob@example.org."),
    ],
)
async def test_the_mode_says_how_much_is_taken_out_of_lines_and_corrections(
    stage: StageMaker, mode: Mode, kept: str
) -> None:
    made = await stage(privacy=KEEP.model_copy(update={"redaction": mode}))
    session = await made.client.start_session("mira", "p1", training_consent=True)
    line = "The gate code is 0412 555 019, mail bob@example.org."
    reply = await made.client.say(session.session_id, line)
    await made.client.edit(reply.turn_id, line)
    turn = made.store.turn(reply.turn_id)
    (event,) = made.store.events(character="mira")
    assert turn is not None
    assert turn.player_text == kept
    assert event.payload == Edit(kept)


def test_a_server_says_what_it_means_that_nothing_is_taken_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    warn_if_off(PrivacySection(redaction=Mode.OFF))
    assert "stay in what players write" in caplog.text
    caplog.clear()
    warn_if_off(PrivacySection())
    assert not caplog.text


async def test_a_players_id_is_neither_stored_nor_logged(
    stage: StageMaker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "npc_server")
    made = await stage()
    session = await made.client.start_session("mira", "steam-76561198")
    reply = await made.client.say(session.session_id, "Hello.")
    await made.client.thumb(reply.turn_id, up=True)
    assert b"steam-76561198" not in everything(made)
    assert "steam-76561198" not in caplog.text
    assert {turn.player_id for turn in made.store.turns("mira")} == {
        PSEUDONYMS.of("steam-76561198")
    }


async def test_a_pseudonym_sent_by_a_client_is_an_id_like_any_other(stage: StageMaker) -> None:
    made = await stage()
    pseudonym = PSEUDONYMS.of("p1")
    session = await made.client.start_session("mira", pseudonym)
    record = made.store.session(session.session_id)
    assert record is not None
    assert record.player_id == PSEUDONYMS.of(pseudonym) != pseudonym


async def test_a_line_loses_personal_data_before_anything_sees_it(
    stage: StageMaker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = await stage()
    session = (await made.client.start_session("mira", "p1")).session_id
    first = await made.client.say(session, "Write to bob@example.org, please.")
    second = await made.client.say(session, "Did you?")
    for reply in (first, second):
        turn = made.store.turn(reply.turn_id)
        assert turn is not None
        assert "Write to [email], please." in [message["content"] for message in turn.messages]
    assert b"bob@example.org" not in everything(made)
    assert "bob@example.org" not in caplog.text


async def test_a_reply_is_kept_as_the_model_said_it(stage: StageMaker) -> None:
    made = await stage(lambda _: "Ask bob@example.org.")
    session = (await made.client.start_session("mira", "p1")).session_id
    reply = await made.client.say(session, "Hello.")
    turn = made.store.turn(reply.turn_id)
    assert turn is not None
    assert turn.reply_text == reply.text == "Ask bob@example.org."


async def test_what_is_too_old_is_deleted_by_what_was_agreed_to(
    stage: StageMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PORTION", 1)
    monkeypatch.setattr(retention, "PAUSE_S", 0)
    made = await stage()
    for player, consent in (("p1", True), ("p2", False)):
        session = await made.client.start_session("mira", player, training_consent=consent)
        for line in ("One.", "Two."):
            await made.client.say(session.session_id, line)
    made.store._writer._db.execute("UPDATE turns SET created_at = '2020-01-01T00:00:00.000000'")
    of_guests = PrivacySection(retention_days=0, serving_retention_days=30)
    await retention.sweep(made.store, of_guests, tmp_path)
    assert {turn.consent for turn in made.store.turns("mira")} == {True}
    await retention.sweep(made.store, PrivacySection(retention_days=30), tmp_path)
    assert made.store.turns("mira") == []


def test_a_server_replaces_ids_that_were_stored_as_sent(tmp_path: Path) -> None:
    config = Config(paths=PathsConfig(data=tmp_path))
    sent = Session("s1", "ann", "mira", "v", consent=True, started_at=datetime.now(UTC))
    with open_store(config)[0] as store:
        store.record_session(sent).result(5)
    store, pseudonyms = open_store(config)
    with store:
        assert store.session("s1") == replace(sent, player_id=pseudonyms.of("ann"))


def test_a_lost_key_is_not_replaced_beside_known_players(tmp_path: Path) -> None:
    config = Config(paths=PathsConfig(data=tmp_path))
    store, pseudonyms = open_store(config)
    known = Session("s1", pseudonyms.of("ann"), "mira", "v", True, datetime.now(UTC))
    with store:
        store.record_session(known).result(5)
    config.paths.player_key.unlink()
    with pytest.raises(KeyFileError, match="restore the file from a backup"):
        open_store(config)
    assert not config.paths.player_key.exists()
