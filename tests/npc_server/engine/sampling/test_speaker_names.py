"""A reply is no script: no name and colon stand before its words."""

import pytest

from npc_server.engine.sampling.speaker_names import SpeakerNames

NAMES = ("Orsolo Venn", "orsolo", "player", "プレイヤー")


@pytest.mark.parametrize(
    ("said", "piece", "lets"),
    [
        ("Orsolo", ":", True),
        ("*The great ORSOLO Venn* ", ": (smiling)", True),
        ("Good day.\nPlayer", " :", True),
        ("プレイヤー", "：", True),
        ("Good day.", "\nPlayer:", True),
        ("Good day, player", ".", False),
        ("It is simple", ":", False),
        ("I will tell you what became of me and of old Orsolo", ":", False),
    ],
)
def test_a_colon_behind_a_name_at_the_beginning_of_a_line(
    said: str, piece: str, lets: bool
) -> None:
    names = SpeakerNames(NAMES)
    names.add(said)
    assert names.lets_speak(piece) is lets
