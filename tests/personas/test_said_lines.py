"""What counts as said is the latest of the character's own lines."""

from personas.persona import Example, Persona
from personas.render import Line, Speaker, messages
from personas.said_lines import SAID_LINES, said_in_prompt, said_lately

EXAMPLE = Example(player="Good morning!", reply="Mind the flour.")


def talk(lines: int) -> list[Line]:
    """A conversation of so many exchanges."""
    speakers = (Speaker.PLAYER, Speaker.CHARACTER)
    return [Line(speaker, f"{speaker} {i}") for i in range(lines) for speaker in speakers]


def test_only_the_characters_latest_lines_count() -> None:
    said = said_lately([*talk(SAID_LINES + 2), Line(Speaker.CHARACTER, "")])
    assert said == tuple(f"character {i}" for i in range(2, SAID_LINES + 2))


def test_of_a_rendered_prompt_the_same_lines_count_and_no_example(ada: Persona) -> None:
    shown = ada.model_copy(update={"examples": (EXAMPLE,), "examples_in_prompt": 1})
    for persona in (ada, shown):
        rendered = messages(persona, talk(3), "And?")
        assert said_in_prompt(persona, rendered) == said_lately(talk(3))
