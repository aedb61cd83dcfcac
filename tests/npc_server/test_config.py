"""The configuration: unknown keys are refused, and every mistake is reported at once."""

from pathlib import Path

import pytest

from npc_server.commands.training.trainer_process import TRAINER_TABLES
from npc_server.config import Config, GameSection, PathsConfig, ServerSection, load
from npc_server.errors import ConfigError
from tests.support.paths import DOCS


def test_without_a_file_the_defaults_hold() -> None:
    assert load(None, {}) == Config()


def test_a_file_in_the_working_directory_is_read(tmp_path: Path) -> None:
    (tmp_path / "npc.toml").write_text("[server]\nport = 9000\n")
    assert load(None, {}).server.port == 9000


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    (tmp_path / "npc.toml").write_text("[server]\nport = 9000\n")
    assert load(None, {"NPC_SERVER_PORT": "9001"}).server.port == 9001


def test_names_with_underscores_are_found_in_the_environment() -> None:
    assert load(None, {"NPC_ENGINE_CONTEXT_TOKENS": "2048"}).engine.context_tokens == 2048


def test_every_wrong_key_and_value_is_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "npc.toml").write_text("[server]\nprot = 1\n[engine]\nsequences = 0\n[oops]\n")
    with pytest.raises(ConfigError) as caught:
        load(None, {})
    for wrong in ("server.prot", "engine.sequences", "oops"):
        assert wrong in str(caught.value)


def test_an_unknown_variable_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"server\.prot"):
        load(None, {"NPC_SERVER_PROT": "1"})


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "npc.toml").write_text("[server\n")
    with pytest.raises(ConfigError, match=r"npc\.toml"):
        load(None, {})


@pytest.mark.parametrize("name", PathsConfig.model_fields)
def test_every_path_may_start_in_the_home_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    paths = load(None, {f"NPC_PATHS_{name.upper()}": "~/there"}).paths
    assert getattr(paths, name) == tmp_path / "there"


def test_no_default_path_leaves_the_home_folder_to_its_reader() -> None:
    assert [path for path in PathsConfig().model_dump().values() if "~" in str(path)] == []


def test_a_home_folder_that_nobody_has_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"paths\.data: .*~nobody-of-that-name"):
        load(None, {"NPC_PATHS_DATA": "~nobody-of-that-name/data"})


def test_what_a_windows_editor_saves_is_read(tmp_path: Path) -> None:
    file = tmp_path / "npc.toml"
    file.write_bytes(b'\xef\xbb\xbf[server]\r\nhost = "::1"\r\nport = 0\r\n')
    assert load(file, {}).server == ServerSection(host="::1", port=0)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_another_width_of_text_is_named(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "npc.toml"
    file.write_bytes("[server]\nport = 0\n".encode(encoding))
    with pytest.raises(ConfigError, match=r"npc\.toml: UTF-.* save the file as UTF-8"):
        load(file, {})


def test_text_that_is_no_utf_8_is_placed(tmp_path: Path) -> None:
    file = tmp_path / "npc.toml"
    file.write_bytes(b"[server]\nhost = '\xe4'\n")
    with pytest.raises(ConfigError, match=r"npc\.toml:2: not UTF-8 text"):
        load(file, {})


def test_the_studios_words_are_a_list_or_text_with_commas(tmp_path: Path) -> None:
    (tmp_path / "npc.toml").write_text('[privacy]\nnever_personal = ["Saltmere", "@guild_7"]\n')
    words = ("Saltmere", "@guild_7")
    assert load(tmp_path / "npc.toml", {}).privacy.never_personal == words
    changes = {"NPC_PRIVACY_NEVER_PERSONAL": "Saltmere, @guild_7"}
    assert load(None, changes).privacy.never_personal == words


@pytest.mark.parametrize("word", ["", "@", "x", "-- --", "a" * 65, "Salt\u200bmere"])
def test_a_word_that_can_never_be_found_is_refused(word: str) -> None:
    with pytest.raises(ConfigError, match=r"privacy\.never_personal\.0"):
        load(None, {"NPC_PRIVACY_NEVER_PERSONAL": f"{word},Saltmere"})


def test_every_setting_is_in_the_operators_guide() -> None:
    guide = (DOCS / "operators.md").read_text()
    settings = [
        f"`[{section}] {name}`"
        for section, field in Config.model_fields.items()
        if section not in {*TRAINER_TABLES, "games"}  # in the training guide; named by games
        for name in type(field.get_default(call_default_factory=True)).model_fields
    ]
    settings += [f"`[games.NAME] {name}`" for name in GameSection.model_fields]
    assert [setting for setting in settings if setting not in guide] == []


def test_a_trainers_table_is_kept_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "npc.toml").write_text(
        "[training]\nrank = 8\n[training.characters.mira]\nrank = 4\n"
    )
    config = load(None, {"NPC_TRAINING_METHOD": "kto"})
    assert config.training == {"rank": 8, "method": "kto", "characters": {"mira": {"rank": 4}}}
