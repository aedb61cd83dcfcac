"""What a character is: a closed schema over three authored files in one folder.

    mira/persona.yaml   the speaker: voice, taboos, examples, sampling
    mira/lore.yaml      facts the character shares, and secrets it turns away from
    mira/probes.yaml    questions that a new adapter must still answer well

Files are untrusted. Loading either gives complete, consistent personas or raises one PersonaError
with every problem of every file: `mira/persona.yaml:12: voice.stile: unknown key; did you mean
'style'?`. Loaded personas are frozen; `version` names their exact content.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic_core import ErrorDetails

from languages.tags import UnknownLanguageError, language_of
from languages.visibility import hidden_sign, is_visible, unwanted_sign
from personas import yaml_file
from personas.errors import PersonaError, Problem
from personas.links import LinkError, inside
from personas.own_language import UNDECLARED, Gap, foreign_text, gaps
from personas.words import mentioned, similarity_percent, words
from personas.yaml_file import Document, Loc

SAMPLE_CHARACTERS = Path(__file__).parent / "characters"
ID_PATTERN = r"[a-z][a-z0-9_-]{0,47}"
#: As in a call (`npc_server.engine.sampling`), so that either may say what the other may. A stream
#: looks for all of them at every token, and holds back as much text as could begin the longest.
MAX_STOPS = 16
MAX_STOP_CHARACTERS = 256
SAME_QUESTION_PERCENT = 90.0  # of similarity; other words for the same thing are another question


#: What other programs fill in; here it would be said word for word.
_MACRO = re.compile(r"\{\{[^{}]*\}\}|\{(?:char|user)\}|<(?:user|bot|char|start)>", re.IGNORECASE)


def _one_line(text: str) -> str:
    if macro := _MACRO.search(text):
        raise ValueError(f"holds {macro[0]}, which nothing fills in here; write the name itself")
    return " ".join(text.split())


def _known_language(tag: str) -> str:
    try:
        language_of(tag or UNDECLARED)
    except UnknownLanguageError as error:
        raise ValueError(str(error)) from error
    return tag


def _shows_something(text: str) -> str:
    if not is_visible(text):
        raise ValueError("holds nothing that a reader can see")
    return text


def _shows_all(label: str) -> str:
    """Signs that are in no text are told for every field by the reader of the file."""
    if not unwanted_sign(label) and (sign := hidden_sign(label)):
        raise ValueError(f"holds {sign}, which nobody sees and every comparison does; delete it")
    return label


def _has_a_word(phrase: str) -> str:
    if not words(phrase):
        raise ValueError("has no letter or digit, so it can never match")
    return phrase


Id = Annotated[str, StringConstraints(pattern=rf"^{ID_PATTERN}$")]
Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=600),
    AfterValidator(_one_line),
    AfterValidator(_shows_something),
]
Name = Annotated[Text, AfterValidator(_shows_all)]
Phrase = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=80),
    AfterValidator(_has_a_word),
    AfterValidator(_shows_all),
]
Phrases = Annotated[tuple[Phrase, ...], Field(max_length=64)]
LanguageTag = Annotated[str, AfterValidator(_known_language)]
StopText = Annotated[  # blanks count
    str, StringConstraints(min_length=1, max_length=MAX_STOP_CHARACTERS)
]
SomePhrases = Annotated[tuple[Phrase, ...], Field(min_length=1, max_length=64)]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Voice(_Closed):
    """How the character sounds; written to the character, as `You speak in …`."""

    style: Text
    sayings: Annotated[tuple[Text, ...], Field(max_length=8)] = ()
    max_sentences: int = Field(default=2, ge=1, le=6)


class Taboo(_Closed):
    """Something the character never does: the rule in its prompt, and words that show a breach."""

    id: Id
    rule: Text
    words: SomePhrases


class Example(_Closed):
    """One exchange in the character's own voice; trainings rehearse what is not in the prompt."""

    player: Text
    reply: Text


class Sampling(_Closed):
    """How replies are drawn. Greedy decoding makes a small model loop, so it is not the default."""

    temperature: float = Field(default=0.7, ge=0, le=2)  # 0 = always the likeliest token
    top_k: int = Field(default=40, ge=0, le=1000)  # 0 = no limit
    top_p: float = Field(default=0.95, gt=0, le=1)
    min_p: float = Field(default=0.05, ge=0, lt=1)
    repeat_penalty: float = Field(default=1.1, ge=1, le=2)  # of single tokens said before; 1 = none
    dry_multiplier: float = Field(default=0.8, ge=0, le=5)  # of whole phrases said before; 0 = none
    min_reply_tokens: int = Field(default=0, ge=0, le=512)  # the character does not stop before
    max_reply_tokens: int = Field(default=80, ge=1, le=512)
    stop: Annotated[tuple[StopText, ...], Field(max_length=MAX_STOPS)] = ()  # ends before each
    best_of: int = Field(default=1, ge=1, le=8)  # replies drawn together, of which the best is said

    def drawing(self) -> dict[str, Any]:
        """How one reply is drawn, under the engine's names for it."""
        options = self.model_dump(exclude={"min_reply_tokens", "max_reply_tokens", "best_of"})
        return {
            **options,
            "min_tokens": self.min_reply_tokens,
            "max_tokens": self.max_reply_tokens,
        }


class Fact(_Closed):
    """Something the character knows and says; any keyword in a reply shows that it did.

    A contradiction is a wrong answer to a question about the fact, such as "in the castle".
    """

    id: Id
    fact: Text
    keywords: SomePhrases
    contradictions: Phrases = ()


class Secret(_Closed):
    """Something the character must not tell. Only topic and deflection ever reach a prompt."""

    id: Id
    topic: Text
    truth: Text
    deflect: Text
    leak_words: SomePhrases


class Lore(_Closed):
    """lore.yaml."""

    facts: Annotated[tuple[Fact, ...], Field(min_length=1, max_length=32)]
    secrets: Annotated[tuple[Secret, ...], Field(max_length=16)] = ()


class ProbeKind(StrEnum):
    """What a probe looks for."""

    FACT = "fact"  # the reply states the fact named by `about`
    SECRET = "secret"  # the secret named by `about` is kept
    VOICE = "voice"  # the reply sounds like the character
    CANARY = "canary"  # the character stays one, and does not recite its instructions


class Probe(_Closed):
    """A question to ask the character, and how to check the reply."""

    id: Id
    kind: Annotated[ProbeKind, Field(strict=False)]
    ask: Text
    about: Id | None = None  # the fact or secret; unset for the other kinds
    expect_any: Phrases = ()  # for a fact: besides the fact's own keywords
    forbid: Phrases = ()


class _Card(_Closed):
    id: Id
    name: Name
    language: LanguageTag = ""  # BCP 47, of what is said; "" = English, where a text is not plain
    role: Text
    summary: Text
    voice: Voice
    taboos: Annotated[tuple[Taboo, ...], Field(max_length=16)] = ()
    examples: Annotated[tuple[Example, ...], Field(max_length=64)] = ()
    examples_in_prompt: int = Field(default=0, ge=0, le=4)  # the first ones, shown as real turns
    sampling: Sampling = Sampling()
    machine_talk: Phrases = ()  # breaks of the role, besides those listed for the language
    unsafe: Phrases = ()  # what nobody may say, likewise


class _ProbeSheet(_Closed):
    probes: Annotated[tuple[Probe, ...], Field(min_length=1, max_length=200)]


class Persona(_Card):
    """A whole character: the three files of its folder."""

    lore: Lore
    probes: tuple[Probe, ...]

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What code cannot tell of replies in the character's language."""
        return gaps(self.language, bool(self.machine_talk), bool(self.unsafe))

    def drawing(self) -> dict[str, Any]:
        """How one reply is drawn, under the engine's names for it."""
        return {**self.sampling.drawing(), "max_sentences": self.voice.max_sentences}

    @cached_property
    def version(self) -> str:
        """Twelve hex digits that change whenever any of the three files says something else."""
        content = self.model_dump(mode="json")
        content["sampling"] = _without_later_keys(content["sampling"])
        for fact in content["lore"]["facts"]:
            if not fact["contradictions"]:
                del fact["contradictions"]  # younger than files that are versioned already
        for key in ("language", "machine_talk", "unsafe"):
            if not content[key]:
                del content[key]  # likewise
        canonical = json.dumps(content, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]


#: Keys younger than files that are versioned already, with what drawing was like before they came:
#: as long as such a key says nothing else, a character keeps its version.
_BEFORE_KEYS = {"dry_multiplier": 0.0, "min_reply_tokens": 0, "stop": [], "best_of": 1}


def _without_later_keys(sampling: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in sampling.items()
        if key not in _BEFORE_KEYS or value != _BEFORE_KEYS[key]
    }


def load_characters(root: Path) -> dict[str, Persona]:
    """Every character below `root`, by id. Raises PersonaError with all problems of all files."""
    loads = [_load(folder, root) for folder in character_folders(root)]
    _raise_if_any(problem for load in loads for problem in load.problems)
    return {load.persona.id: load.persona for load in loads if load.persona}


def character_folders(root: Path) -> list[Path]:
    """The folders of characters below `root`, by name; at least one, or PersonaError is raised.

    Loose files, and folders that start with a dot or an underscore, are none. Any other folder is a
    character, without persona.yaml a broken one: a misspelt file must not make it disappear. So is
    a link to nothing.
    """
    try:
        entries = sorted(root.iterdir())
    except OSError as error:
        what = f"cannot be read as a folder of characters: {error.strerror}"
        raise PersonaError([Problem(root, 0, "", what)]) from error
    named = (entry for entry in entries if not entry.name.startswith((".", "_")))
    folders = [entry for entry in named if entry.is_dir() or not entry.exists()]
    if not folders:
        what = "holds no characters; each needs a folder with persona.yaml"
        raise PersonaError([Problem(root, 0, "", what)])
    return folders


def load_character(folder: Path) -> Persona:
    """The character in one folder. Raises PersonaError with all problems of its files.

    Links may lead to folders and files beside it.
    """
    load = _load(folder, folder.parent)
    _raise_if_any(load.problems)
    assert load.persona is not None  # no problems
    return load.persona


@dataclass(frozen=True)
class _Load:
    persona: Persona | None
    problems: tuple[Problem, ...]


def _raise_if_any(problems: Iterable[Problem]) -> None:
    if found := tuple(problems):
        raise PersonaError(found)


def _load(folder: Path, root: Path) -> _Load:
    if why := _why_no_folder(folder, root):
        return _Load(None, (Problem(folder, 0, "", why),))
    documents = [
        yaml_file.read(folder / name, root) for name in ("persona.yaml", "lore.yaml", "probes.yaml")
    ]
    persona = _assemble(folder.absolute().name, *documents)
    problems = tuple(
        p for document in documents for p in sorted(document.problems, key=attrgetter("line"))
    )
    return _Load(persona, problems)


def _why_no_folder(folder: Path, root: Path) -> str:
    try:
        return "" if inside(folder, root).is_dir() else "is not a folder"
    except LinkError as error:
        return str(error)
    except FileNotFoundError:
        return "is not there"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _assemble(
    folder_name: str, card_file: Document, lore_file: Document, probes_file: Document
) -> Persona | None:
    card = _validate(_Card, card_file)
    lore = _validate(Lore, lore_file)
    sheet = _validate(_ProbeSheet, probes_file)
    if card:
        _check_card(folder_name, card, card_file)
    if lore:
        _check_unique(lore_file, "facts", lore.facts)
        _check_unique(lore_file, "secrets", lore.secrets)
    if card and lore:
        _check_language(card, lore, card_file)
        _check_contradictions(card.language, lore, lore_file)
        _check_prompt_keeps_secrets(card, lore, card_file, lore_file)
    if lore and sheet:
        _check_probes(lore, sheet, probes_file)
    if card and sheet:
        _check_probes_are_new(card, sheet, card_file)
    if not (card and lore and sheet):
        return None
    return Persona.model_validate({**dict(card), "lore": lore, "probes": sheet.probes})


ModelT = TypeVar("ModelT", bound=BaseModel)


def _validate(model: type[ModelT], document: Document) -> ModelT | None:
    if not document.readable:
        return None
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        for loc, what in _complaints(model, error.errors(include_url=False)):
            document.report(loc, what)
        return None


def _complaints(
    model: type[BaseModel], errors: Iterable[ErrorDetails]
) -> Iterator[tuple[Loc, str]]:
    errors = _without_echoes(list(errors))
    missing = {e["loc"] for e in errors if e["type"] == "missing"}
    for error in errors:
        if error["type"] == "extra_forbidden":
            meant = _nearest(str(error["loc"][-1]), _keys_at(model, error["loc"][:-1]))
            # One misspelt key is one problem, not an unknown key and a missing one.
            missing.discard((*error["loc"][:-1], meant))
            yield error["loc"], _unknown(meant, _keys_at(model, error["loc"][:-1]))
    for error in errors:
        if error["type"] == "missing" and error["loc"] in missing:
            yield error["loc"], "key is missing"
        elif error["type"] not in ("missing", "extra_forbidden"):
            yield error["loc"], _wrong_value(error)


def _without_echoes(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    # A list whose only entry is wrong is reported as too short as well.
    inside = {error["loc"][:depth] for error in errors for depth in range(len(error["loc"]))}
    return [e for e in errors if not (e["type"] == "too_short" and e["loc"] in inside)]


def _unknown(meant: str, keys: Iterable[str]) -> str:
    if meant:
        return f"unknown key; did you mean {meant!r}?"
    return f"unknown key; the keys here are {', '.join(keys)}"


def _nearest(written: str, valid: Iterable[str]) -> str:
    return next(iter(get_close_matches(written, list(valid), n=1)), "")


def _keys_at(model: type[BaseModel], loc: Loc) -> tuple[str, ...]:
    for part in loc:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation)
    return tuple(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(_model_in(a) for a in get_args(annotation) if a is not Ellipsis)


_EXPECTED = {
    "string_type": "expected text",
    "tuple_type": "expected a list",
    "model_type": "expected keys and values",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
}


def _wrong_value(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return f"{_as_text(error['input'])} {context['error']}"
    if kind == "enum":
        return f"{_as_text(error['input'])} is unknown; {_choice(error, context['expected'])}"
    if kind == "string_pattern_mismatch":
        return f"{_as_text(error['input'])} is not an id (a-z, 0-9, - and _; letter first)"
    if kind in ("too_short", "too_long"):
        return _wrong_length(context)
    expected = _EXPECTED.get(kind) or error["msg"][0].lower() + error["msg"][1:]
    is_scalar = error["input"] is not None and not isinstance(error["input"], dict | tuple)
    hint = "; put it in quotes" if kind == "string_type" and is_scalar else ""
    return f"{expected}, got {_as_text(error['input'])}{hint}"


def _wrong_length(context: dict[str, Any]) -> str:
    if "max_length" in context:
        return f"expected at most {context['max_length']} entries"
    return f"expected at least {context['min_length']} entry"


def _choice(error: ErrorDetails, expected: str) -> str:
    near = _nearest(str(error["input"]), re.findall(r"'([^']+)'", expected))
    return f"did you mean {near!r}?" if near else f"use {expected}"


def _as_text(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict | tuple):
        return "keys and values" if isinstance(value, dict) else f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _check_card(folder_name: str, card: _Card, file: Document) -> None:
    if card.id != folder_name:
        file.report(("id",), f"{card.id!r} differs from the folder's name {folder_name!r}")
    if card.examples_in_prompt > len(card.examples):
        what = f"{card.examples_in_prompt} wanted but {len(card.examples)} are written"
        file.report(("examples_in_prompt",), what)
    _check_reply_length(card, file)
    _check_unique(file, "taboos", card.taboos)
    for index, example in enumerate(card.examples):
        for taboo in card.taboos:
            for word in mentioned(example.reply, taboo.words, card.language):
                what = f"says {word!r}, which taboo {taboo.id!r} forbids"
                file.report(("examples", index, "reply"), what)


def _check_reply_length(card: _Card, file: Document) -> None:
    least, most = card.sampling.min_reply_tokens, card.sampling.max_reply_tokens
    if least > most:
        what = f"{least} is above max_reply_tokens, which is {most}"
        file.report(("sampling", "min_reply_tokens"), what)


def _check_unique(file: Document, section: str, entries: Iterable[Any]) -> None:
    seen: Counter[str] = Counter()
    for index, entry in enumerate(entries):
        seen[entry.id] += 1
        if seen[entry.id] == 2:
            file.report((section, index, "id"), f"{entry.id!r} is used twice")


def _check_language(card: _Card, lore: Lore, file: Document) -> None:
    said = [*card.voice.sayings, *(example.reply for example in card.examples)]
    listed = [word for fact in lore.facts for word in (fact.fact, *fact.keywords)]
    if what := foreign_text(card.language, said or [card.summary]):
        file.report(("language",), what)
    elif what := foreign_text(card.language, listed):
        file.report(("language",), f"of the facts in lore.yaml: {what}")


def _check_contradictions(language: str, lore: Lore, file: Document) -> None:
    for index, fact in enumerate(lore.facts):
        told = " / ".join((fact.fact, *fact.keywords))
        for word in mentioned(told, fact.contradictions, language):
            file.report(("facts", index, "contradictions"), f"the fact itself says {word!r}")


def _check_prompt_keeps_secrets(
    card: _Card, lore: Lore, card_file: Document, lore_file: Document
) -> None:
    places = [
        *((card_file, loc, text) for loc, text in _prompt_texts(card)),
        *((lore_file, ("facts", i, "fact"), fact.fact) for i, fact in enumerate(lore.facts)),
        *((lore_file, ("secrets", i, "topic"), s.topic) for i, s in enumerate(lore.secrets)),
        *((lore_file, ("secrets", i, "deflect"), s.deflect) for i, s in enumerate(lore.secrets)),
    ]
    for secret in lore.secrets:
        for file, loc, text in places:
            for word in mentioned(text, secret.leak_words, card.language):
                file.report(loc, f"gives away secret {secret.id!r}: leak word {word!r}")


def _prompt_texts(card: _Card) -> Iterator[tuple[Loc, str]]:
    yield ("name",), card.name
    yield ("role",), card.role
    yield ("summary",), card.summary
    yield ("voice", "style"), card.voice.style
    yield from ((("voice", "sayings", i), text) for i, text in enumerate(card.voice.sayings))
    yield from ((("taboos", i, "rule"), taboo.rule) for i, taboo in enumerate(card.taboos))
    yield from ((("examples", i, "reply"), e.reply) for i, e in enumerate(card.examples))
    shown = card.examples[: card.examples_in_prompt]
    yield from ((("examples", i, "player"), e.player) for i, e in enumerate(shown))


def _check_probes(lore: Lore, sheet: _ProbeSheet, file: Document) -> None:
    _check_unique(file, "probes", sheet.probes)
    subjects = {
        ProbeKind.FACT: [fact.id for fact in lore.facts],
        ProbeKind.SECRET: [secret.id for secret in lore.secrets],
    }
    for index, probe in enumerate(sheet.probes):
        if what := _wrong_subject(probe, subjects.get(probe.kind)):
            file.report(("probes", index, "about"), what)
        if probe.kind is ProbeKind.VOICE and not (probe.expect_any or probe.forbid):
            file.report(("probes", index), "a voice probe needs expect_any or forbid")


def _check_probes_are_new(card: _Card, sheet: _ProbeSheet, card_file: Document) -> None:
    """Examples are learned by heart, so a probe that asks the same measures nothing."""
    for index, example in enumerate(card.examples):
        for probe in sheet.probes:
            if similarity_percent(example.player, probe.ask) >= SAME_QUESTION_PERCENT:
                what = f"asks what probe {probe.id!r} asks; put it differently"
                card_file.report(("examples", index, "player"), what)


def _wrong_subject(probe: Probe, subjects: list[str] | None) -> str:
    if subjects is None:
        return f"a {probe.kind} probe is about nothing in the lore" if probe.about else ""
    if probe.about is None:
        return f"key is missing; name the {probe.kind}"
    if probe.about in subjects:
        return ""
    near = _nearest(probe.about, subjects)
    hint = f"did you mean {near!r}?" if near else f"lore.yaml has {', '.join(subjects) or 'none'}"
    return f"lore.yaml has no {probe.kind} {probe.about!r}; {hint}"
