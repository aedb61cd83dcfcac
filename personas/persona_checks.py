"""What a character's files say that does not fit together, each reported at its line."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from personas.actions import NO_ACTION
from personas.lore.entry_checks import check_entries
from personas.own_language import foreign_text
from personas.persona import Card, Lore, Probe, ProbeKind, ProbeSheet
from personas.schema_errors import nearest
from personas.words import TextList, similar_texts
from personas.yaml_file import Document, Loc

SAME_QUESTION_PERCENT = 90.0  # of similarity; other words for the same thing are another question


def check_card(folder_name: str, card: Card, file: Document) -> None:
    """Report what does not fit together within persona.yaml."""
    if card.id != folder_name:
        file.report(("id",), f"{card.id!r} differs from the folder's name {folder_name!r}")
    if card.examples_in_prompt > len(card.examples):
        what = f"{card.examples_in_prompt} wanted but {len(card.examples)} are written"
        file.report(("examples_in_prompt",), what)
    _check_reply_length(card, file)
    _check_unique(file, "taboos", card.taboos)
    _check_relationships(card, file)
    _check_emotions(card, file)
    _check_names(file, "actions", "name", [action.name for action in card.actions])
    _check_what_is_said(card, file)


def _check_what_is_said(card: Card, file: Document) -> None:
    spoken = list(spoken_texts(card))
    texts = TextList([text for _, text in spoken], card.language)
    for taboo in card.taboos:
        for number, word in texts.saying(taboo.words):
            file.report(spoken[number][0], f"says {word!r}, which taboo {taboo.id!r} forbids")
    for number, word in texts.saying(card.guardrails.blocked_words):
        file.report(spoken[number][0], f"says {word!r}, which guardrails.blocked_words forbid")


def spoken_texts(card: Card) -> Iterator[tuple[Loc, str]]:
    """What the character says word for word, or learns to, with its place."""
    yield from ((("greetings", i), text) for i, text in enumerate(card.greetings))
    yield from ((("fallback_lines", i), text) for i, text in enumerate(card.fallback_lines))
    yield from ((("examples", i, "reply"), e.reply) for i, e in enumerate(card.examples))


def _check_relationships(card: Card, file: Document) -> None:
    seen: set[str] = set()
    for index, one in enumerate(card.relationships):
        place = ("relationships", index, "to")
        if one.to == card.id:
            file.report(place, "is the character itself; name another, or player")
        if one.to in seen:
            file.report(place, f"{one.to!r} is there twice; say it in one sentence")
        seen.add(one.to)


def _check_emotions(card: Card, file: Document) -> None:
    if len(card.emotions) == 1:
        file.report(("emotions",), "one emotion is no choice; declare two or more, or none")
    if card.emotion_first and not card.emotions:
        file.report(("emotion_first",), "there are no emotions to tell first")
    _check_names(file, "emotions", "label", [emotion.label for emotion in card.emotions])
    _check_names(file, "emotions", "cue", [emotion.cue for emotion in card.emotions])


def _check_names(file: Document, section: str, key: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name.casefold() in seen:
            file.report((section, index, key), f"{name!r} is used twice")
        seen.add(name.casefold())


def _check_reply_length(card: Card, file: Document) -> None:
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


def check_lore(lore: Lore, file: Document) -> None:
    """Report ids that lore.yaml uses twice."""
    _check_unique(file, "facts", lore.facts)
    _check_unique(file, "secrets", lore.secrets)
    check_entries(lore.entries, file)


def check_card_and_lore(card: Card, lore: Lore, card_file: Document, lore_file: Document) -> None:
    """Report texts in another language than declared, contradictions, and secrets given away."""
    _check_language(card, lore, card_file)
    _check_facts_can_be_told(card, lore, lore_file)
    _check_contradictions(card.language, lore, lore_file)
    _check_prompt_keeps_secrets(card, lore, card_file, lore_file)


def _check_language(card: Card, lore: Lore, file: Document) -> None:
    said = [*card.voice.sayings, *(text for _, text in spoken_texts(card))]
    listed = [word for fact in lore.facts for word in (fact.fact, *fact.keywords)]
    if what := foreign_text(card.language, said or [card.summary]):
        file.report(("language",), what)
    elif what := foreign_text(card.language, listed):
        file.report(("language",), f"of the facts in lore.yaml: {what}")


def _check_facts_can_be_told(card: Card, lore: Lore, file: Document) -> None:
    if not card.guardrails.blocked_words:
        return
    texts = TextList([fact.fact for fact in lore.facts], card.language)
    for index, word in texts.saying(card.guardrails.blocked_words):
        what = f"has {word!r}, which guardrails.blocked_words of persona.yaml forbid"
        file.report(("facts", index, "fact"), what)


def _check_contradictions(language: str, lore: Lore, file: Document) -> None:
    for index, fact in enumerate(lore.facts):
        told = TextList([" / ".join((fact.fact, *fact.keywords))], language)
        for _, word in told.saying(fact.contradictions):
            file.report(("facts", index, "contradictions"), f"the fact itself says {word!r}")


def _check_prompt_keeps_secrets(
    card: Card, lore: Lore, card_file: Document, lore_file: Document
) -> None:
    places = [
        *((card_file, loc, text) for loc, text in _prompt_texts(card)),
        *((lore_file, ("facts", i, "fact"), fact.fact) for i, fact in enumerate(lore.facts)),
        *((lore_file, ("secrets", i, "topic"), s.topic) for i, s in enumerate(lore.secrets)),
        *((lore_file, ("entries", i, "text"), one.text) for i, one in enumerate(lore.entries)),
        *((lore_file, ("secrets", i, "deflect"), s.deflect) for i, s in enumerate(lore.secrets)),
    ]
    texts = TextList([text for _, _, text in places], card.language)
    for secret in lore.secrets:
        for number, word in texts.saying(secret.leak_words):
            file, loc, _ = places[number]
            file.report(loc, f"gives away secret {secret.id!r}: leak word {word!r}")


def _prompt_texts(card: Card) -> Iterator[tuple[Loc, str]]:
    yield ("name",), card.name
    yield ("role",), card.role
    yield ("summary",), card.summary
    yield ("voice", "style"), card.voice.style
    yield from ((("voice", "sayings", i), text) for i, text in enumerate(card.voice.sayings))
    yield from ((("taboos", i, "rule"), taboo.rule) for i, taboo in enumerate(card.taboos))
    yield from ((("goals", i), goal) for i, goal in enumerate(card.goals))
    met = enumerate(card.relationships)
    yield from ((("relationships", i, "text"), one.text) for i, one in met)
    yield from spoken_texts(card)
    for i, trigger in enumerate(card.triggers):
        yield from ((("triggers", i, key), text) for key, text in trigger.texts)
    shown = card.examples[: card.examples_in_prompt]
    yield from ((("examples", i, "player"), e.player) for i, e in enumerate(shown))


def check_probes(lore: Lore, sheet: ProbeSheet, file: Document, world: str | None = None) -> None:
    """Report probes that ask about nothing in the lore, or ask for nothing.

    A fact that is not the character's own may be one of its `world`, which is looked at later.
    """
    _check_unique(file, "probes", sheet.probes)
    subjects = {
        ProbeKind.FACT: own_facts(lore),
        ProbeKind.SECRET: [secret.id for secret in lore.secrets],
    }
    for index, probe in enumerate(sheet.probes):
        postponed = world is not None and probe.kind is ProbeKind.FACT and probe.about is not None
        if not postponed and (what := _wrong_subject(probe, subjects.get(probe.kind))):
            file.report(("probes", index, "about"), what)
        if probe.kind is ProbeKind.VOICE and not (probe.expect_any or probe.forbid):
            file.report(("probes", index), "a voice probe needs expect_any or forbid")


def own_facts(lore: Lore) -> list[str]:
    """Ids that a fact probe may be about: of facts, and of entries with keywords."""
    return [*(fact.id for fact in lore.facts), *(one.id for one in lore.entries if one.keywords)]


def check_probes_of_card(card: Card, sheet: ProbeSheet, file: Document) -> None:
    """Report probes that expect an emotion or action that the character does not have."""
    labels = [emotion.label for emotion in card.emotions]
    names = [*(action.name for action in card.actions), NO_ACTION]
    for index, probe in enumerate(sheet.probes):
        for key, kind, expected, known in (
            ("expect_emotion", ProbeKind.EMOTION, probe.expect_emotion, labels),
            ("expect_action", ProbeKind.ACTION, probe.expect_action, names),
        ):
            if what := _wrong_expectation(probe.kind is kind, kind, expected, known):
                file.report(("probes", index, key), what)


def _wrong_expectation(
    is_kind: bool, kind: ProbeKind, expected: str | None, known: list[str]
) -> str:
    if is_kind != (expected is not None):
        return "key is missing" if is_kind else f"only a probe of kind {kind} expects one"
    if expected is None or expected in known:
        return ""
    near = nearest(expected, known)
    hint = f"did you mean {near!r}?" if near else f"it has {', '.join(known) or 'none'}"
    return f"persona.yaml has no {kind} {expected!r}; {hint}"


def check_probes_are_new(card: Card, sheet: ProbeSheet, card_file: Document) -> None:
    """Report examples that ask what a probe asks.

    Examples are learned by heart, so a probe that asks the same measures nothing.
    """
    said = [example.player for example in card.examples]
    asked = [probe.ask for probe in sheet.probes]
    for index, number in similar_texts(said, asked, SAME_QUESTION_PERCENT):
        what = f"asks what probe {sheet.probes[number].id!r} asks; put it differently"
        card_file.report(("examples", index, "player"), what)


def _wrong_subject(probe: Probe, subjects: list[str] | None) -> str:
    if subjects is None:
        return f"a {probe.kind} probe is about nothing in the lore" if probe.about else ""
    if probe.about is None:
        return f"key is missing; name the {probe.kind}"
    if probe.about in subjects:
        return ""
    near = nearest(probe.about, subjects)
    hint = f"did you mean {near!r}?" if near else f"lore.yaml has {', '.join(subjects) or 'none'}"
    return f"lore.yaml has no {probe.kind} {probe.about!r}; {hint}"
