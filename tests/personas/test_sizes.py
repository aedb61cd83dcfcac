"""Whether characters fit the context that they are served in."""

import pytest

from personas.errors import CharacterTooLargeError
from personas.fake import FakeTokenizer
from personas.kept_history import LINE_TOKENS
from personas.persona import Example, Persona
from personas.render import opening_ids, prompt
from personas.sizes import (
    END_TOKENS,
    Size,
    faults_of,
    is_roomy,
    require_fit,
    require_room,
    size_of,
)


def sized(opening: int, context: int = 1024, reply: int = 80, name: str = "ada") -> Size:
    return Size(name, opening, examples=0, reply=reply, context=context)


def test_a_character_that_leaves_no_room_for_a_line_and_a_reply_is_named_with_both_numbers() -> (
    None
):
    assert not sized(1024 - 80 - LINE_TOKENS - END_TOKENS).fault
    fault = sized(1157).fault
    for part in ("ada", "1157 tokens", "1303", "context_tokens is 1024", "by 279 tokens"):
        assert part in fault


def test_a_reply_longer_than_the_context_is_a_fault_of_the_same_kind() -> None:
    assert "512 for a reply (max_reply_tokens)" in sized(100, context=256, reply=512).fault


def test_all_that_are_too_large_are_named_at_once() -> None:
    cast = [sized(2000, name="abel"), sized(100, name="bo"), sized(3000, name="zora")]
    with pytest.raises(CharacterTooLargeError, match=r"(?s)abel.*\n.*zora") as caught:
        require_room(cast)
    assert "bo" not in str(caught.value).split()


def test_a_character_that_fits_but_forgets_at_once_is_warned_of() -> None:
    assert not sized(600).warning
    assert "117 are left for what was said before" in sized(786).warning
    assert not sized(1157).warning  # it does not serve


def test_a_size_counts_what_every_prompt_begins_with(
    ada: Persona, tokenizer: FakeTokenizer
) -> None:
    shown = Persona.model_validate(ada.model_dump() | {"examples_in_prompt": 1})
    bare, size = (size_of(one, tokenizer, 2000) for one in (ada, shown))
    assert size.opening == len(opening_ids(shown, tokenizer)) == bare.opening + size.examples
    assert bare.examples == 0 < size.examples


def test_the_least_context_takes_a_usual_line(ada: Persona, tokenizer: FakeTokenizer) -> None:
    size = size_of(ada, tokenizer, 0)
    budget = size.least - size.reply - END_TOKENS
    asked = len(prompt(ada, (), "", tokenizer, budget).ids) - size.opening
    assert prompt(ada, (), "x" * (LINE_TOKENS - asked), tokenizer, budget)


def test_a_probe_and_an_example_that_do_not_fit_are_named(
    ada: Persona, tokenizer: FakeTokenizer
) -> None:
    probes = (ada.probes[0].model_copy(update={"ask": "Why? " * 100}),)
    long = Persona.model_validate(
        ada.model_dump()
        | {"probes": probes, "examples": (Example(player="Hm?", reply="So. " * 120),)}
    )
    context = size_of(ada, tokenizer, 0).least
    probe, example = faults_of(long, tokenizer, context)
    assert "ada: probe 'oven-name' needs" in probe
    assert "ada: example 1 needs" in example


def test_the_setting_that_somebody_can_raise_is_named(
    ada: Persona, tokenizer: FakeTokenizer
) -> None:
    with pytest.raises(CharacterTooLargeError, match="raise max_tokens to at least"):
        require_fit(ada, tokenizer, 100, "max_tokens")


def test_what_is_roomy_at_a_glance_has_neither_fault_nor_warning(
    ada: Persona, tokenizer: FakeTokenizer
) -> None:
    contexts = range(100, 2000, 25)
    roomy = [at for at in contexts if is_roomy(ada, tokenizer, at)]
    sizes = [size_of(ada, tokenizer, at) for at in roomy]
    assert roomy
    assert not any(size.fault or size.warning for size in sizes)
