"""Names of a cast, and who speaks in a text."""

from personas.cast_names import named, names_of, names_of_cast, speakers_in
from personas.persona_files import SAMPLE_CHARACTERS, load_characters

CAST = load_characters(SAMPLE_CHARACTERS)


def test_a_character_goes_by_whole_name_first_name_and_id() -> None:
    assert names_of(CAST["mira"]) == {"mira holt", "mira"}
    stranger = CAST["mira"].model_copy(update={"name": "The Stranger", "id": "st-1"})
    assert names_of(stranger) == {"the stranger", "st 1"}  # "the" begins too much


def test_names_are_looked_up_in_any_spelling() -> None:
    names = names_of_cast(CAST.values())
    assert named("Is FENN TARROW at the quay?", names) == {"fenn tarrow", "fenn"}
    assert named("The fenns are wide.", names) == frozenset()


def test_a_speaker_stands_at_the_beginning_of_a_line_before_a_colon() -> None:
    said = "Aye.\n**Fenn Tarrow:** Ha!\n  Orsolo （sighs）: Oh.\nミラ：はい"
    assert speakers_in(said) == ["fenn tarrow", "orsolo sighs", "ミラ"]
    assert speakers_in("Fenn brings the iron.") == []
