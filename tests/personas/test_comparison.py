"""What two versions of a character say differently."""

from personas.comparison import Change, changes, cost_difference, prompt_difference
from personas.fake import FakeTokenizer
from personas.persona import Fact, Persona


def edited(ada: Persona, **values: object) -> Persona:
    return ada.model_copy(update=values)


def test_equal_characters_differ_in_nothing(ada: Persona) -> None:
    assert changes(ada, ada) == []
    assert prompt_difference(ada, ada) == []


def test_a_value_a_new_one_and_one_less_are_told_by_key(ada: Persona) -> None:
    other = edited(ada, name="Eve", goals=("You want rest.",), examples=())
    assert changes(ada, other) == [
        Change("name", "Ada", "Eve"),
        Change("examples[0].player", "Hi.", None),
        Change("examples[0].reply", "Hello, love.", None),
        Change("goals[0]", None, "You want rest."),
    ]


def test_an_entry_goes_by_its_id_wherever_it_stands(ada: Persona) -> None:
    shop = Fact(id="shop", fact="Your shop is blue.", keywords=("blue",))
    lore = ada.lore.model_copy(update={"facts": (shop, *ada.lore.facts)})
    keys = [change.key for change in changes(ada, edited(ada, lore=lore))]
    assert keys == ["lore.facts[shop].id", "lore.facts[shop].fact", "lore.facts[shop].keywords[0]"]


def test_the_prompt_differs_by_sentences(ada: Persona) -> None:
    found = prompt_difference(ada, edited(ada, summary="You are cruel."))
    assert [line for line in found if line[0] in "+-"] == ["-You are kind.", "+You are cruel."]


def test_tokens_differ_by_part(ada: Persona, tokenizer: FakeTokenizer) -> None:
    costs = cost_difference(ada, edited(ada, goals=("You want rest.",)), tokenizer)
    assert costs["goals"] == (0, len("You want rest."))
    assert costs["facts"][0] == costs["facts"][1]
