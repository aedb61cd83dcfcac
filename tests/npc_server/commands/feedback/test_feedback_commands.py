"""`npc feedback`: what it prints for people and for scripts, on a real store."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from feedback_store.frozen_snapshots import freeze
from feedback_store.privacy.pseudonyms import Pseudonyms, ensure_key
from feedback_store.records import Edit, Payload, Reaction, Session, Thumb, Turn
from feedback_store.scene_records import SavedLine, SavedPlayer, SceneSave
from feedback_store.selection import select
from feedback_store.store import Store
from npc_server.commands.feedback.learned_from import taught_versions
from npc_server.commands.main import app
from npc_server.errors import ConfigError
from personas.adapter_repo import AdapterRepo, Draft, Manifest
from personas.base_repo import BaseDraft, BaseRepo
from tests.support import tiny_gguf
from tests.support.turns import NOON, TURN

NOW = datetime.now(UTC)
ANN = "ann@game"
SAID = "I hid the crown below the mill."


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Where the commands find everything."""
    return tmp_path / "data"


@pytest.fixture
def ann(data: Path) -> str:
    """The pseudonym of a player."""
    return Pseudonyms(ensure_key(data / "player.key")).of(ANN)


@pytest.fixture
def store(data: Path, ann: str) -> Iterator[Store]:
    """Ann talked to mira with consent, bob (an old release's row) without, both 40 days ago."""
    with Store.open(data / "feedback.db") as opened:
        talk(opened, "s1", ann, consent=True)
        talk(opened, "s2", "bob", consent=False)
        react(opened, "e1", Thumb(True), "s1-0")
        react(opened, "e2", Thumb(False), "s1-1")
        react(opened, "e3", Edit("Begone, thief!"), "s2-0")
        yield opened


def talk(store: Store, session_id: str, player_id: str, consent: bool, days_ago: int = 40) -> None:
    """A session of two turns."""
    at = NOW - timedelta(days=days_ago)
    store.record_session(Session(session_id, player_id, "mira", "aa11", consent, at)).result()
    for number in range(2):
        store.record_turn(turn(f"{session_id}-{number}", session_id, player_id, consent, at))


def turn(turn_id: str, session_id: str, player_id: str, consent: bool, at: datetime) -> Turn:
    """A reply of the bare base."""
    messages = (
        {"role": "system", "content": "You are Mira."},
        {"role": "user", "content": SAID},
    )
    return replace(
        TURN,
        turn_id=turn_id,
        first_turn_id=turn_id,
        session_id=session_id,
        player_id=player_id,
        messages=messages,
        player_text=SAID,
        created_at=at,
        consent=consent,
    )


def react(store: Store, event_id: str, payload: Payload, turn_id: str) -> None:
    """A player's reaction, now."""
    store.submit(Reaction(event_id, payload, NOW, turn_id=turn_id)).result()


def npc(*arguments: str) -> Result:
    """How `npc feedback` ends."""
    return CliRunner().invoke(app, ["feedback", *arguments], env={"COLUMNS": "80"})


def said(*arguments: str) -> str:
    """What it prints when it ends well."""
    result = npc(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_path_is_printed_whether_or_not_the_file_is_there(data: Path) -> None:
    assert said("path").strip() == str(data / "feedback.db")


@pytest.mark.parametrize("command", ["stats", "export", "purge"])
def test_without_a_store_the_commands_say_so_and_make_none(data: Path, command: str) -> None:
    result = npc(command)
    assert result.exit_code == 3
    assert "no feedback store" in result.stderr
    assert not (data / "feedback.db").exists()


def test_stats_tell_everything_to_scripts(store: Store) -> None:
    mira = json.loads(said("stats", "--json"))["mira"]
    assert (mira["sessions"], mira["players"]) == (2, 2)
    assert mira["turns"] == {"all": 4, "with_consent": 2, "rolled_back": 0, "unfinished": 0}
    (version,) = mira["versions"]
    assert (version["likes"], version["dislikes"], version["liked"]) == (1, 1, 0.5)
    assert mira["training"]["state"] == "waiting"
    assert mira["training"]["dropped"]["no_consent"] == 1
    assert {short["what"] for short in mira["training"]["missing"]} >= {"players"}


def test_stats_of_a_cast_fit_on_a_screen(store: Store) -> None:
    lines = said("stats").splitlines()
    assert len(lines) < 24
    assert any("50% (9%-91%)" in line for line in lines)
    assert not any("…" in line for line in lines)


def test_stats_of_one_character_tell_what_is_missing(store: Store) -> None:
    shown = said("stats", "mira")
    assert "of 3 players" in shown
    assert "no consent: 1" in shown
    assert "down: 1, up: 1" in shown


def test_an_export_of_events_has_all_but_the_words_of_those_who_did_not_consent(
    store: Store,
) -> None:
    rows = {row["event_id"]: row for row in map(json.loads, said("export").splitlines())}
    assert set(rows) == {"e1", "e2", "e3"}
    assert (rows["e1"]["player_text"], rows["e1"]["up"]) == (SAID, True)
    assert (rows["e3"]["kind"], rows["e3"]["consent"]) == ("edit", False)
    assert [rows["e3"][words] for words in ("player_text", "reply_text", "text")] == [""] * 3


def test_an_export_to_a_file_replaces_it_whole_and_private(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "kto.jsonl"
    out.write_text("old")
    assert "lines in" in npc("export", "mira", "--format", "kto", "--out", str(out)).stderr
    rows = [json.loads(row) for row in out.read_text().splitlines()]
    assert {row["turn_id"] for row in rows} <= {"s1-0", "s1-1"}
    assert out.stat().st_mode & 0o777 == 0o600


def test_a_player_is_exported_by_the_games_id_or_by_pseudonym(store: Store, ann: str) -> None:
    by_id, by_pseudonym = said("export", "--player", ANN), said("export", "--player", ann)
    (session,) = map(json.loads, by_id.splitlines())
    assert by_id == by_pseudonym
    assert (session["session_id"], session["player_id"]) == ("s1", ann)
    assert [turn["player_text"] for turn in session["turns"]] == [SAID, SAID]
    assert [event["kind"] for event in session["events"]] == ["thumb", "thumb"]


def test_a_player_without_consent_gets_their_own_words(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "bob.json"
    said("export", "mira", "--player", "bob", "--format", "json", "--out", str(out))
    (session,) = json.loads(out.read_text())["sessions"]
    assert session["turns"][0]["player_text"] == SAID
    assert session["events"][0]["payload"] == {"text": "Begone, thief!"}


def test_a_player_whom_nobody_answered_gets_their_lines_and_can_be_forgotten(
    store: Store, data: Path
) -> None:
    eve = Pseudonyms(ensure_key(data / "player.key")).of("eve@game")
    player, line = SavedPlayer(eve, "Eve", False), SavedLine("", eve, "Eve", "Hello?", ("mira",))
    save = SceneSave("t", "s", NOON, "", (player,), (), (line,), (eve,), {}, False, eve)
    store.record_scene_save(save).result()
    kept = json.loads(said("export", "--player", "eve@game", "--format", "json"))
    assert kept["scene_saves"][0]["lines"] == [{"text": "Hello?", "heard_by": ["mira"]}]
    assert "1 save game and 0 memories deleted" in said("forget", "eve@game", "--yes")


def test_an_unknown_player_is_told_and_no_file_is_touched(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "keep.json"
    out.write_text("kept")
    result = npc("export", "--player", "eve@game", "--out", str(out))
    assert isinstance(result.exception, ConfigError)
    assert "nothing is stored of player 'eve@game'" in str(result.exception)
    assert out.read_text() == "kept"


@pytest.mark.parametrize(
    "options", [["--format", "json"], ["--format", "dpo", "--player", ANN]], ids=["json", "dpo"]
)
def test_formats_that_do_not_fit_are_refused(store: Store, options: list[str]) -> None:
    assert isinstance(npc("export", *options).exception, ConfigError)


def test_a_split_of_events_is_refused(store: Store) -> None:
    result = npc("export", "--split", "train")
    assert "not split" in str(result.exception)


def test_a_reader_that_leaves_ends_an_export_quietly(store: Store) -> None:
    for number in range(2_000):
        store.submit(Reaction(f"more-{number}", Thumb(True), NOW, turn_id="s1-0"))
    store.submit(Reaction("last", Thumb(True), NOW, turn_id="s1-0")).result()
    command = [sys.executable, "-m", "npc_server.commands.main", "feedback", "export"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_backup_comes_back_with_what_was_stored_before_kept(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "monday.db"
    assert "checked" in said("backup", str(file))
    react(store, "since", Thumb(True), "s1-0")
    shown = said("restore", str(file), "--yes")
    before = Path(shown.rsplit("is in ", 1)[1].strip())
    assert _events(before) == ["e1", "e2", "e3", "since"]
    assert [event.event_id for event in store.events("mira")] == ["e1", "e2", "e3"]


def test_a_restore_that_is_not_confirmed_changes_nothing(store: Store, tmp_path: Path) -> None:
    said("backup", str(tmp_path / "monday.db"))
    react(store, "since", Thumb(True), "s1-0")
    assert npc("restore", str(tmp_path / "monday.db")).exit_code == 1
    assert len(store.events("mira")) == 4


def test_a_restored_backup_holds_no_id_as_sent(store: Store, data: Path, tmp_path: Path) -> None:
    said("backup", str(tmp_path / "monday.db"))
    said("restore", str(tmp_path / "monday.db"), "--yes")
    assert "bob" not in _players(data)


@pytest.mark.parametrize("by_id", [True, False], ids=["by the game's id", "by pseudonym"])
def test_forgetting_tells_what_is_gone(store: Store, data: Path, ann: str, by_id: bool) -> None:
    answer = json.loads(said("forget", ANN if by_id else ann, "--yes", "--json"))
    assert answer["player"] == ann
    assert answer["deleted"] == {
        "sessions": 1,
        "turns": 2,
        "events": 2,
        "checkpoints": 0,
        "memories": 0,
    }
    assert answer["log_emptied"]
    assert ann not in _players(data)


def test_forgetting_finds_a_player_whose_id_was_stored_as_sent(store: Store, data: Path) -> None:
    assert "1 session, 2 turns, 1 event, 0 save games and 0 memories" in said(
        "forget", "bob", "--yes"
    )
    assert len(_players(data)) == 1


def test_a_player_nobody_knows_is_no_error(store: Store) -> None:
    shown = said("forget", "nobody", "--yes")
    assert "nothing of this player is stored" in shown
    assert "No adapter version learned" in shown


def test_forgetting_lists_versions_and_says_how_to_take_it_out(
    store: Store, data: Path, ann: str, tmp_path: Path
) -> None:
    repo = AdapterRepo(data / "adapters")
    first = _publish(repo, tmp_path / "1", seed=1, parent=None, players=("p",))
    second = _publish(repo, tmp_path / "2", seed=2, parent=first, players=(ann,))
    repo.promote("mira", second)
    shown = said("forget", ANN, "--yes")
    assert f"mira {second}, live now, learned from this player" in shown
    assert f"npc adapters promote mira {first}; then npc train mira" in shown
    assert "Backups and exports" in shown


def test_forgetting_lists_reward_heads_and_takes_them_back_too(
    store: Store, data: Path, ann: str, tmp_path: Path
) -> None:
    repo = AdapterRepo(data / "heads")
    only = _publish(repo, tmp_path / "1", seed=1, parent=None, players=(ann,))
    repo.promote("mira", only)
    shown = said("forget", ANN, "--yes")
    assert f"mira reward head {only}, live now, learned from this player" in shown
    assert "npc adapters rollback mira --heads, until no head is live" in shown
    CliRunner().invoke(app, ["adapters", "rollback", "mira", "--heads"])
    assert repo.aliases("mira").live is None


def test_forgetting_lists_bases_and_the_versions_trained_on_them(
    store: Store, data: Path, ann: str, tmp_path: Path
) -> None:
    bases = BaseRepo(data / "bases")
    with bases.making("town") as folder:
        (folder / "made.gguf").write_bytes(b"weights")
        draft = BaseDraft("town", "0" * 64, "sft", {}, {"mira": "1" * 64}, (ann,), {})
        base = bases.publish(draft, folder / "made.gguf")
    repo = AdapterRepo(data / "adapters")
    on_it = _publish(repo, tmp_path / "1", seed=1, parent=None, players=(), base=base.sha256)
    shown = said("forget", ANN, "--yes")
    assert "Base town learned from this player" in shown
    assert f"mira {on_it} was trained on from one that learned" in shown


def test_forgetting_takes_the_player_out_of_unfinished_trainings(
    store: Store, data: Path, ann: str
) -> None:
    snapshot = select("mira", store.turns("mira"), store.events("mira"))
    with_ann, without = data / "runs" / "0001-mira", data / "runs" / "0002-fenn"
    for folder, rows in ((with_ann, snapshot), (without, select("fenn", [], []))):
        folder.mkdir(parents=True)
        freeze(rows, folder / "snapshot.json")
    shown = said("forget", ANN, "--yes")
    assert "Unfinished training run 0001-mira held rows of this player" in shown
    assert not (with_ann / "snapshot.json").exists()
    assert (without / "snapshot.json").exists()


def test_a_version_trained_on_from_one_that_learned_has_learned_too() -> None:
    versions = [_manifest(1, None, ()), _manifest(2, 1, ("ann",)), _manifest(3, 2, ())]
    taught = taught_versions("ann", versions, live="v3")
    assert [(one.version, one.inherited, one.live) for one in taught] == [
        ("v2", False, False),
        ("v3", True, True),
    ]
    assert {one.instead for one in taught} == {"v1"}


def test_a_purge_deletes_what_is_too_old_and_says_so_before(store: Store) -> None:
    assert json.loads(said("purge", "--dry-run", "--json"))["without_consent"] == 2
    assert len(store.turns("mira")) == 4
    assert "2 turns without consent older than 30 days deleted" in said("purge")
    assert {turn.session_id for turn in store.turns("mira")} == {"s1"}


def test_a_purge_takes_what_it_deletes_out_of_unfinished_trainings(
    store: Store, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = data / "runs" / "0001-mira" / "snapshot.json"
    kept.parent.mkdir(parents=True)
    freeze(select("mira", store.turns("mira"), store.events("mira")), kept)
    assert json.loads(said("purge", "--json"))["runs"] == []
    monkeypatch.setenv("NPC_PRIVACY_RETENTION_DAYS", "10")
    assert json.loads(said("purge", "--json"))["runs"] == ["0001-mira"]
    assert not kept.exists()


def test_a_purge_keeps_to_the_configuration(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPC_PRIVACY_RETENTION_DAYS", "10")
    monkeypatch.setenv("NPC_PRIVACY_SERVING_RETENTION_DAYS", "0")
    answer = json.loads(said("purge", "--json"))
    assert (answer["with_consent"], answer["without_consent"]) == (2, 0)


def _publish(
    repo: AdapterRepo,
    folder: Path,
    seed: int,
    parent: str | None,
    players: tuple[str, ...],
    base: str = "b" * 64,
) -> str:
    source = tiny_gguf.write_adapter(folder, seed=seed)
    draft = Draft("mira", parent, base, "dpo", {}, "", players, {})
    return repo.publish(draft, source).version


def _manifest(number: int, parent: int | None, players: tuple[str, ...]) -> Manifest:
    fields: dict[str, Any] = {"base_sha256": "", "method": "dpo", "config": {}, "gate": {}}
    return Manifest(
        version=f"v{number}",
        number=number,
        content_hash="",
        created_at="",
        character="mira",
        parent=f"v{parent}" if parent else None,
        snapshot_hash="",
        players=players,
        **fields,
    )


def _events(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as db:
        return [row[0] for row in db.execute("SELECT event_id FROM events ORDER BY rowid")]


def _players(data: Path) -> set[str]:
    with closing(sqlite3.connect(data / "feedback.db")) as db:
        return {row[0] for row in db.execute("SELECT player_id FROM sessions")}
