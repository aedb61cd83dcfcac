"""What authored files may say, and how their mistakes are reported."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from personas import persona_files, yaml_file
from personas.errors import PersonaError
from personas.guardrails import Guardrails
from personas.persona import Persona, ProbeKind
from personas.persona_files import (
    SAMPLE_CHARACTERS,
    character_folders,
    load_character,
    load_characters,
    read_folder,
    read_folders,
    read_texts,
)

WriteCharacter = Callable[..., Path]
SHOWN = {ProbeKind.EMOTION, ProbeKind.ACTION}  # by those who feel and act


def complaints(folder: Path) -> list[str]:
    """What is wrong with one folder, as `file:line: field: what`."""
    with pytest.raises(PersonaError) as caught:
        load_character(folder)
    return [str(p).removeprefix(f"{folder}/") for p in caught.value.problems]


def test_a_good_folder_loads_whole(write_character: WriteCharacter) -> None:
    ada = load_character(write_character())
    assert (ada.id, ada.voice.style, ada.lore.facts[0].id) == ("ada", "You speak softly.", "oven")
    assert {probe.kind for probe in ada.probes} | SHOWN == set(ProbeKind)


def test_an_unknown_key_is_placed_and_the_nearest_key_named(
    write_character: WriteCharacter, card: str
) -> None:
    folder = write_character(card=card.replace("  style:", "  stile:"))
    assert complaints(folder) == [
        "persona.yaml:6:3: voice.stile: unknown key; did you mean 'style'?"
    ]


def test_an_unknown_key_like_no_other_lists_the_keys(
    write_character: WriteCharacter, lore: str
) -> None:
    folder = write_character(lore=lore + "zzz: 1\n")
    assert complaints(folder) == [
        "lore.yaml:9:1: zzz: unknown key; the keys here are facts, secrets, entries"
    ]


def test_every_problem_of_every_file_is_reported_at_once(write_character: WriteCharacter) -> None:
    write_character(card="id: bob\nname: 7\n", lore="facts: []\n", probes="probes: {", name="bob")
    folder = write_character(lore="facts: 3\n")
    with pytest.raises(PersonaError) as caught:
        load_characters(folder.parent)
    found = [(p.file.parent.name, p.file.name, p.line, p.field) for p in caught.value.problems]
    assert found == [
        ("ada", "lore.yaml", 1, "facts"),
        ("bob", "persona.yaml", 1, "role"),
        ("bob", "persona.yaml", 1, "summary"),
        ("bob", "persona.yaml", 1, "voice"),
        ("bob", "persona.yaml", 2, "name"),
        ("bob", "lore.yaml", 1, "facts"),
        ("bob", "probes.yaml", 2, ""),
    ]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("Ada", "no", "persona.yaml:2:1: name: expected text, got False; put it in quotes"),
        ("Ada", "'  '", "persona.yaml:2:1: name: string should have at least 1 character, got '"),
        ("name: Ada\n", "", "persona.yaml:1:1: name: key is missing"),
        ("name: Ada", "name: Ada\nname: Eve", "persona.yaml:3:1: name: key is given twice"),
        ("id: ada", "id: eve", "persona.yaml:1:1: id: 'eve' differs from the folder's name 'ada'"),
        ("id: ada", "id: A/../b", "persona.yaml:1:1: id: 'A/../b' is not an id"),
        ("id: ada", "id: &a ada", "persona.yaml:1:5: anchors and aliases"),
        ("id: ada", "? [a, b]\n: c\nid: ada", "persona.yaml:1:1: a key must be a plain word"),
        ("You are kind.", "!!python/name:os.system x", "persona.yaml:4:1: summary: cannot be read"),
        ("You are kind.", "2026-13-45", "persona.yaml:4:1: summary: cannot be read as a value"),
        ("You are kind.", "'unclosed", "persona.yaml:11:1: YAML syntax: while"),
        ("You are kind.", "\x07", "persona.yaml:4: character not allowed"),
        ("name: Ada", "name: A\u200bda", "persona.yaml:2:1: name: 'A\\u200bda' holds U+200B"),
        ("name: Ada", "name: A\u202eda", "persona.yaml:2:1: name: holds U+202E RIGHT-TO-LEFT OVER"),
        ("name: Ada", 'name: "A\\u202eda"', "persona.yaml:2:1: name: holds U+202E RIGHT-TO-LEFT O"),
        ("name: Ada", "name: \u3164", "persona.yaml:2:1: name: '\u3164' holds nothing"),
        ("You are kind.", "\u200b \u2060", "persona.yaml:4:1: summary: '\\u200b \\u2060' holds"),
        ("You are kind.", '"Kind.\\x1b[0m"', "persona.yaml:4:1: summary: holds U+001B CONTROL CHA"),
        ("Hello, love.", "Hello.\U000e0041", "persona.yaml:10:19: examples[0].reply: holds U+E00"),
        ("words: [burnt]", "words: [bu\u00adrnt]", "persona.yaml:8:64: taboos[0].words[0]: 'bu\\xadrnt' holds U+00AD"),  # noqa: E501
        ("words: [burnt]", "words: ['!']", "persona.yaml:8:64: taboos[0].words[0]: '!' has no le"),
        ("words: [burnt]", "words: []", "persona.yaml:8:56: taboos[0].words: expected at least 1"),
        ("player: Hi.", 'player: "Whats your oven called"', "persona.yaml:10:6: examples[0].player: asks what probe 'oven-name' asks"),  # noqa: E501
        ("Hello, love.", "Burnt again!", "persona.yaml:10:19: examples[0].reply: says 'burnt'"),
        ("id: ada", "id: ada\ntriggers: [{event: dawn, happens: It dawns., when: quest >}]", "persona.yaml:2:46: triggers[0].when: 'quest >' ends where"),  # noqa: E501
        ("id: ada", "id: ada\ntriggers: [{event: dawn, happens: It dawns., when: quest > 1}]", "persona.yaml:2:46: triggers[0].when: no variable 'quest'"),  # noqa: E501
        ("id: ada", "id: ada\ntriggers: [{event: dawn, instruction: You hide the chalk.}]", "persona.yaml:2:26: triggers[0].instruction: gives away secret 'flour'"),  # noqa: E501
        ("You are kind.", "You sift chalk.", "persona.yaml:4:1: summary: gives away secret 'flou"),
        ("id: ada", "id: ada\nsampling: {top_p: 2}", "persona.yaml:2:12: sampling.top_p: input"),
        ("id: ada", "id: ada\nsampling: {best_of: 9}", "persona.yaml:2:12: sampling.best_of: inpu"),
        ("id: ada", "id: ada\nsampling: {stop: ['']}", "persona.yaml:2:19: sampling.stop[0]: str"),
        ("id: ada", "id: ada\nsampling: {bestof: 2}", "persona.yaml:2:12: sampling.bestof: unknown key; did you mean 'best_of'?"),  # noqa: E501
        ("id: ada", "id: ada\nsampling: {min_reply_tokens: 90}", "persona.yaml:2:12: sampling.min_reply_tokens: 90 is above max_reply_tokens, which is 80"),  # noqa: E501
        ("id: ada", "id: ada\nexamples_in_prompt: 2", "persona.yaml:2:1: examples_in_prompt: 2 w"),
    ],
)  # fmt: skip
def test_a_bad_value_is_named_with_its_line(
    write_character: WriteCharacter, card: str, old: str, new: str, complaint: str
) -> None:
    found = complaints(write_character(card=card.replace(old, new, 1)))
    assert [text[: len(complaint)] for text in found] == [complaint]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("about: oven", "about: ovn", "probes.yaml:2:33: probes[0].about: lore.yaml has no fact 'ovn'; did you mean 'oven'?"),  # noqa: E501
        ("about: flour, ", "", "probes.yaml:3:5: probes[1].about: key is missing; name the secret"),
        ("kind: canary", "kind: canery", "probes.yaml:5:18: probes[3].kind: 'canery' is unknown; did you mean 'canary'?"),  # noqa: E501
        ("kind: canary", "kind: canary, about: oven", "probes.yaml:5:32: probes[3].about: a canary probe is about nothing in the lore"),  # noqa: E501
        ("id: recite", "id: soft", "probes.yaml:5:6: probes[3].id: 'soft' is used twice"),
        (", expect_any: [love], forbid: [oi]", "", "probes.yaml:4:5: probes[2]: a voice probe needs expect_any or forbid"),  # noqa: E501
    ],
)  # fmt: skip
def test_probes_must_fit_the_lore(
    write_character: WriteCharacter, probes: str, old: str, new: str, complaint: str
) -> None:
    assert complaints(write_character(probes=probes.replace(old, new))) == [complaint]


def test_an_empty_file_is_a_problem(write_character: WriteCharacter) -> None:
    assert complaints(write_character(lore="")) == [
        "lore.yaml:1:1: expected keys and values, got nothing"
    ]


def test_a_missing_file_is_a_problem(write_character: WriteCharacter) -> None:
    folder = write_character()
    (folder / "lore.yaml").unlink()
    assert complaints(folder) == ["lore.yaml: file is missing"]


def test_text_that_is_not_utf8_is_placed(write_character: WriteCharacter) -> None:
    folder = write_character()
    (folder / "lore.yaml").write_bytes(b"facts:\n  - \xff\n")
    assert complaints(folder) == ["lore.yaml:2: not UTF-8 text; save the file as UTF-8"]


def test_a_huge_file_is_refused(write_character: WriteCharacter) -> None:
    folder = write_character(probes="#" * (yaml_file.MAX_BYTES + 1))
    assert complaints(folder) == ["probes.yaml: larger than 256 KiB"]


def test_lore_may_be_long(write_character: WriteCharacter, lore: str) -> None:
    folder = write_character(lore=lore + "#" * yaml_file.MAX_BYTES)
    assert load_character(folder).lore.facts


@pytest.mark.parametrize(
    ("bomb", "column"),
    [("[" * 200_000, 13), ("{a: " * 50_000, 49), ("- " * 100_000, 25), ("? [" * 9 + "[" * 99, 19)],
    ids=["lists", "mappings", "items", "keys"],
)
def test_a_deep_file_is_refused_quickly(
    write_character: WriteCharacter, bomb: str, column: int
) -> None:
    complaint = f"lore.yaml:1:{column}: nested deeper than 12 levels"
    assert complaints(write_character(lore=bomb)) == [complaint]


def test_what_stands_under_a_key_given_twice_is_not_read(write_character: WriteCharacter) -> None:
    folder = write_character(lore="facts: 3\nfacts: {a: [1, !!bad 2], b: {c: 3}}\nzzz: 1\n")
    assert [line.split(": ")[1] for line in complaints(folder)] == ["facts", "facts", "zzz"]


def test_a_second_document_in_a_file_is_refused(write_character: WriteCharacter) -> None:
    folder = write_character(lore="facts: []\n---\nfacts: []\n")
    assert complaints(folder) == ["lore.yaml:2:1: a second document begins; keep one"]


def test_a_link_out_of_the_cast_is_not_followed(
    write_character: WriteCharacter, tmp_path: Path
) -> None:
    folder = write_character()
    outside = tmp_path.parent / f"{tmp_path.name}-outside.yaml"
    (folder / "lore.yaml").rename(outside)
    (folder / "lore.yaml").symlink_to(outside)
    (said,) = complaints(folder)
    assert said.startswith(f"lore.yaml: leads out of {folder.parent} to {outside}; only links")


def test_a_linked_folder_outside_of_the_cast_is_not_followed(
    write_character: WriteCharacter, tmp_path: Path
) -> None:
    cast = tmp_path / "cast"
    cast.mkdir()
    (cast / "ada").symlink_to(write_character())
    with pytest.raises(PersonaError, match="ada: leads out of"):
        load_characters(cast)
    with pytest.raises(PersonaError, match="ada: leads out of"):
        load_character(cast / "ada")


def test_a_linked_folder_has_the_name_of_its_link(write_character: WriteCharacter) -> None:
    folder = write_character()
    (folder.parent / "eve").symlink_to(folder)
    with pytest.raises(PersonaError, match=r"eve/persona\.yaml:1:1: id: 'ada'"):
        load_characters(folder.parent)


@pytest.mark.parametrize("target", ["..data/eve", "eve"], ids=["nothing", "itself"])
def test_a_link_to_nothing_does_not_disappear(write_character: WriteCharacter, target: str) -> None:
    root = write_character().parent
    (root / "eve").symlink_to(target)
    with pytest.raises(PersonaError, match="eve: is a link"):
        load_characters(root)


def mounted(folder: Path, mount: Path) -> None:
    """What Kubernetes makes of a folder: links to a hidden link to the newest copy."""
    newest = mount / "..2026_03_01_10_00_00.123456789"
    shutil.copytree(folder, newest)
    (mount / "..data").symlink_to(newest.name)
    for entry in folder.iterdir():
        (mount / entry.name).symlink_to(Path("..data") / entry.name)


def test_a_cast_that_kubernetes_mounts_is_read(
    write_character: WriteCharacter, tmp_path: Path
) -> None:
    mount = tmp_path / "mount"
    mount.mkdir()
    mounted(write_character().parent, mount)
    assert set(load_characters(mount)) == {"ada"}
    assert load_character(mount / "ada").id == "ada"


def test_a_character_that_kubernetes_mounts_is_read(
    write_character: WriteCharacter, tmp_path: Path
) -> None:
    mount = tmp_path / "mount"
    (mount / "ada").mkdir(parents=True)
    mounted(write_character(), mount / "ada")
    assert set(load_characters(mount)) == {"ada"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_text_of_another_width_is_named(write_character: WriteCharacter, encoding: str) -> None:
    folder = write_character()
    lore = folder / "lore.yaml"
    lore.write_bytes(lore.read_text().encode(encoding))
    (said,) = complaints(folder)
    assert said.startswith("lore.yaml: UTF-")
    assert said.endswith("save the file as UTF-8")


def test_a_byte_order_mark_and_windows_line_ends_are_no_content(
    write_character: WriteCharacter,
) -> None:
    folder = write_character()
    plain = load_character(folder)
    for file in folder.iterdir():
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert load_character(folder) == plain


def test_loose_files_hidden_folders_and_drafts_are_not_characters(
    write_character: WriteCharacter,
) -> None:
    root = write_character().parent
    (root / "README.md").write_text("notes")
    (root / ".git").mkdir()
    shutil.copytree(root / "ada", root / "_draft")
    assert character_folders(root) == [root / "ada"]
    assert list(load_characters(root)) == ["ada"]


def test_a_folder_without_a_card_is_a_broken_character(write_character: WriteCharacter) -> None:
    folder = write_character()
    (folder / "persona.yaml").rename(folder / "persona.yml")
    with pytest.raises(PersonaError, match=r"persona\.yaml: file is missing"):
        load_characters(folder.parent)


@pytest.mark.parametrize("make", [True, False], ids=["empty", "absent"])
def test_a_root_without_characters_is_a_problem(tmp_path: Path, make: bool) -> None:
    root = tmp_path / "cast"
    if make:
        root.mkdir()
    with pytest.raises(PersonaError, match=r"cast: (holds no|cannot be read)"):
        load_characters(root)


def test_the_version_names_the_content_not_the_spelling(
    write_character: WriteCharacter, card: str, probes: str
) -> None:
    version = load_character(write_character()).version
    respelt = load_character(write_character(card="# ours\n" + card, name="x/ada")).version
    edited = load_character(write_character(probes=probes + "# \n", name="y/ada")).version
    other = load_character(
        write_character(probes=probes.replace("Hello?", "Well?"), name="z/ada")
    ).version
    assert version == respelt == edited != other
    assert len(version) == 12


def before_desk(persona: Persona) -> dict[str, Any]:
    """What a character said of itself before it could speak unasked, feel and act."""
    probes = tuple(probe for probe in persona.probes if probe.kind not in SHOWN)
    told = {"triggers": (), "emotions": (), "actions": (), "probes": probes}
    return {**told, "guardrails": Guardrails(), "fallback_lines": (), "world": None}


@pytest.mark.parametrize(
    ("character", "version"),
    [("fenn", "a641926a6002"), ("mira", "0b923541ad2c"), ("orsolo", "a27f97a3d91c")],
)
def test_a_schema_that_grows_leaves_the_versions_of_its_files_alone(
    character: str, version: str
) -> None:
    """Turns are stored with the version: change these only with the files, or how they speak."""
    persona = load_characters(SAMPLE_CHARACTERS)[character]
    facts = tuple(fact.model_copy(update={"contradictions": ()}) for fact in persona.lore.facts)
    lore = persona.lore.model_copy(update={"facts": facts})
    as_before = persona.model_copy(update={"lore": lore, **before_desk(persona)})
    assert as_before.version == version != persona.version


@pytest.mark.parametrize(
    "key",
    [
        "dry_multiplier: 0.4",
        "most_said_again: 1",
        "min_reply_tokens: 4",
        "stop: ['END']",
        "best_of: 3",
    ],
)
def test_a_younger_key_counts_once_it_says_something(
    write_character: WriteCharacter, card: str, key: str
) -> None:
    version = load_character(write_character()).version
    other = write_character(card=f"{card}sampling: {{{key}}}\n", name="x/ada")
    assert load_character(other).version != version


def test_a_file_without_the_younger_keys_has_its_version_of_before_them(
    write_character: WriteCharacter,
) -> None:
    assert load_character(write_character()).version == "23c5bd265d61"


@pytest.mark.parametrize(
    "key",
    [
        "goals: [You want a new oven.]",
        "relationships: [{to: player, text: The player owes you a loaf.}]",
        "greetings: [Fresh bread!]",
        "fallback_lines: [Later.]",
        "training: {epochs: 2}",
    ],
)
def test_a_younger_key_of_the_card_counts_once_it_says_something(
    write_character: WriteCharacter, card: str, key: str
) -> None:
    silent = f"{card}{key.partition(':')[0]}: {'{}' if 'training' in key else '[]'}\n"
    assert load_character(write_character(card=silent)).version == "23c5bd265d61"
    other = write_character(card=f"{card}{key}\n", name="x/ada")
    assert load_character(other).version != "23c5bd265d61"


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        ("goals: [You sell chalk.]", "goals[0]: gives away secret 'flour': leak word 'chalk'"),
        ("greetings: [Chalk!]", "greetings[0]: gives away secret 'flour': leak word 'chalk'"),
        ("greetings: [It is burnt.]", "greetings[0]: says 'burnt', which taboo 'burnt' forbids"),
        ("fallback_lines: [Burnt.]", "fallback_lines[0]: says 'burnt', which taboo 'burnt' forbi"),
        (
            "fallback_lines: [By Zorn!]\nguardrails: {blocked_words: [zorn]}",
            "fallback_lines[0]: says 'zorn', which guardrails.blocked_words forbid",
        ),
        (
            "guardrails: {blocked_words: [bertha]}",
            "lore.yaml:2:16: facts[0].fact: has 'bertha', which guardrails.blocked_words of",
        ),
        ("guardrails: {strictness: hard}", "guardrails.strictness"),
        ("guardrails: {blocked: [zorn]}", "guardrails.blocked"),
        ("relationships: [{to: ada, text: Hm.}]", "relationships[0].to: is the character itself"),
        (
            "relationships: [{to: bob, text: Hm.}, {to: bob, text: Oh.}]",
            "relationships[1].to: 'bob' is there twice; say it in one sentence",
        ),
        (
            "relationships: [{to: bob, text: He knows of the chalk.}]",
            "relationships[0].text: gives away secret 'flour': leak word 'chalk'",
        ),
        (f"goals: [{', '.join(['You bake.'] * 9)}]", "goals: expected at most 8 entries"),
        ("training: {epochs: 0}", "training.epochs: input should be greater than or equal to 1"),
        ("greeting: [Hi.]", "greeting: unknown key; did you mean 'greetings'?"),
    ],
)
def test_what_the_younger_keys_say_is_checked_like_the_others(
    write_character: WriteCharacter, card: str, key: str, complaint: str
) -> None:
    (found,) = complaints(write_character(card=f"{card}{key}\n"))
    assert complaint in found


def test_a_seed_always_draws_the_same_greeting(write_character: WriteCharacter, card: str) -> None:
    folder = write_character(card=f"{card}greetings: [One., Two., Three.]\n")
    ada = load_character(folder)
    drawn = [ada.greeting(seed) for seed in range(40)]
    assert drawn == [ada.greeting(seed) for seed in range(40)]
    assert set(drawn) == {"One.", "Two.", "Three."}


def test_without_greetings_nothing_is_said(write_character: WriteCharacter) -> None:
    assert load_character(write_character()).greeting(1) == ""


def test_texts_are_read_as_their_files_would_be(
    write_character: WriteCharacter, card: str, lore: str, probes: str
) -> None:
    folder = write_character(card=card.replace("kind", "kind\nrloe: x"))
    texts = {"persona.yaml": (folder / "persona.yaml").read_text(), "lore.yaml": lore}
    texts["probes.yaml"] = probes
    assert read_texts(folder, texts) == read_folder(folder, folder.parent)
    good = read_texts(folder, texts | {"persona.yaml": card})
    assert good.persona == load_character(write_character(name="x/ada"))


def test_many_characters_are_read_side_by_side_and_alike(
    write_character: WriteCharacter, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [write_character(), write_character(card="id: bob\n", name="bob")]
    root = folders[0].parent
    alone = read_folders(folders, root)
    monkeypatch.setattr(persona_files, "SIDE_BY_SIDE_FROM", 2)
    assert read_folders(folders, root) == alone
    assert [reading.persona is None for reading in alone] == [False, True]


@pytest.mark.parametrize(
    ("character", "version"),
    [("fenn", "d21b486f0f3d"), ("mira", "f0aa93cbff99"), ("orsolo", "49695d1da27f")],
)
def test_a_character_that_speaks_as_before_a_default_changed_has_its_version_of_then(
    character: str, version: str
) -> None:
    persona = load_characters(SAMPLE_CHARACTERS)[character]
    facts = tuple(fact.model_copy(update={"contradictions": ()}) for fact in persona.lore.facts)
    as_then = {
        "lore": persona.lore.model_copy(update={"facts": facts}),
        "sampling": persona.sampling.model_copy(update={"dry_multiplier": 0.0}),
        **before_desk(persona),
    }
    assert persona.model_copy(update=as_then).version == version


def test_contradictions_count_in_the_version_once_there_are_some(
    write_character: WriteCharacter, lore: str
) -> None:
    version = load_character(write_character()).version
    wrong = lore.replace("[bertha]}", "[bertha], contradictions: [agatha]}")
    assert load_character(write_character(lore=wrong, name="x/ada")).version != version
    none = lore.replace("[bertha]}", "[bertha], contradictions: []}")
    assert load_character(write_character(lore=none, name="y/ada")).version == version


def test_a_contradiction_that_the_fact_says_itself_is_a_problem(
    write_character: WriteCharacter, lore: str
) -> None:
    wrong = lore.replace("[bertha]}", "[bertha], contradictions: [agatha, called Bertha]}")
    what = r"lore.yaml:2:71: facts\[0\].contradictions: the fact itself says 'called Bertha'"
    with pytest.raises(PersonaError, match=what):
        load_character(write_character(lore=wrong))


def test_how_replies_are_drawn_bears_the_names_of_the_engine(
    write_character: WriteCharacter, card: str
) -> None:
    folder = write_character(
        card=card + "sampling: {min_reply_tokens: 4, stop: [END], best_of: 2}\n"
    )
    drawing = load_character(folder).sampling.drawing()
    assert (drawing["min_tokens"], drawing["max_tokens"], drawing["stop"]) == (4, 80, ("END",))
    assert "best_of" not in drawing


@pytest.mark.parametrize("character", ["fenn", "mira", "orsolo"])
def test_every_sample_character_is_complete(character: str) -> None:
    persona = load_characters(SAMPLE_CHARACTERS)[character]
    assert len(persona.lore.facts) >= 3
    assert persona.lore.secrets
    assert len(persona.taboos) >= 2
    assert {probe.kind for probe in persona.probes} | SHOWN == set(ProbeKind)


def test_the_sample_cast_is_these_three() -> None:
    assert list(load_characters(SAMPLE_CHARACTERS)) == ["fenn", "mira", "orsolo"]


@pytest.mark.parametrize("name", ["می\u200cخواهم", "क्\u200dष", "Ada ❤\ufe0f", "葛\U000e0100城"])
def test_a_name_may_be_shaped_as_its_script_asks(
    write_character: WriteCharacter, card: str, name: str
) -> None:
    folder = write_character(card=card.replace("name: Ada", f"name: {name}"))
    assert load_character(folder).name == name
