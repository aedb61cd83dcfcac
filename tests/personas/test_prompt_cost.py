"""The parts of a prompt's cost add up to what every prompt begins with."""

from personas.fake import FakeTokenizer
from personas.persona import Persona
from personas.prompt_cost import cost_by_part
from personas.render import opening_ids


def test_the_parts_add_up_to_the_opening(ada: Persona, tokenizer: FakeTokenizer) -> None:
    wanted = {"goals": ("You want a new oven.",), "examples_in_prompt": 1}
    rich = Persona.model_validate(ada.model_dump() | wanted)
    for persona in (ada, rich):
        cost = cost_by_part(persona, tokenizer)
        assert sum(cost.values()) == len(opening_ids(persona, tokenizer))
    assert list(cost) == ["identity", "goals", "facts", "order", "examples", "template"]


def test_a_part_costs_what_its_text_takes(ada: Persona, tokenizer: FakeTokenizer) -> None:
    assert cost_by_part(ada, tokenizer)["facts"] == len("Your oven is called Bertha.")
