"""A chat template runs in a sandbox, as the libraries do it that models are made with."""

from pathlib import Path

import pytest

from personas.chat_template import ChatTemplate, read_template
from personas.errors import ChatFormatError

SAID = [{"role": "user", "content": "Hi"}]


def written(source: str) -> str:
    return ChatTemplate(source, bos="<s>", eos="</s>").text(SAID, asks=True)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ bos_token }}{{ eos_token }}", "<s></s>"),
        ("{% generation %}{{ messages[0].content }}{% endgeneration %}", "Hi"),
        ("{% for x in messages %}{% break %}{% endfor %}ok", "ok"),
        ("{{ {'a': '<é>'} | tojson }}", '{"a": "<é>"}'),
        ("{{ {'b': 1, 'a': [1]} | tojson(indent=1, sort_keys=true) }}", None),
        ("{{ strftime_now('%d %b %Y') }}", "26 Jul 2024"),
        ("{% set ns = namespace(self=1) %}{% set ns.x = 2 %}{{ ns.self + ns.x }}", "3"),
        ("{{ dict(a=1).a }}{% for tool in tools %}{{ tool }}{% endfor %}", "1"),
    ],
    ids=["marks", "generation", "loops", "json", "json-options", "clock", "namespace", "no-tools"],
)
def test_what_templates_use_is_there(source: str, text: str | None) -> None:
    assert written(source) == (text or '{\n "a": [\n  1\n ],\n "b": 1\n}')


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{{ dict.__class__.__bases__ }}",
        "{% set ns = namespace(__init__=1) %}",
        "{{ cycler.__init__.__globals__ }}",
        "{% set ns = namespace() %}{% set ns.__class__ = 1 %}",
    ],
)
def test_nothing_leads_out_of_the_sandbox(source: str) -> None:
    with pytest.raises(ChatFormatError, match=r"SecurityError|UndefinedError"):
        written(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ 9 ** 9 ** 9 }}",
        "{{ 'x' * 10000000000 }}",
        "{{ 10000000000 * [1] }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    ],
    ids=["power", "text", "list", "loops"],
)
def test_a_template_takes_no_more_than_a_prompt_needs(source: str) -> None:
    with pytest.raises(ChatFormatError, match="SecurityError"):
        written(source)


def test_a_template_counts_and_multiplies_as_usual() -> None:
    assert written("{% for a in range(3) %}{{ '-' * a }}{{ 2 * a }}{% endfor %}") == "0-2--4"


def test_a_prompt_does_not_depend_on_chance() -> None:
    assert {written("{{ range(99) | random }}") for _ in range(5)} == {"0"}


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("{% for", "cannot be read: .*TemplateSyntaxError"),
        ("{{ raise_exception('only pirates') }}", "fails: only pirates"),
        ("{{ 1 / 0 }}", "fails: division by zero"),
        ("{{ messages[9].content.x }}", "fails: .*UndefinedError"),
    ],
)
def test_a_template_that_fails_says_why(source: str, told: str) -> None:
    with pytest.raises(ChatFormatError, match=told):
        written(source)


def test_a_file_that_is_not_there_is_named_with_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "llama.jinja").write_text("x")
    with pytest.raises(ChatFormatError, match=r"no chat template .*did you mean .*llama\.jinja"):
        read_template(tmp_path / "lama.jinja")
