"""What a character can feel, as far as its game can show: declared labels, each with a cue.

The label is for the game. The cue is for the model: the word or two that a stage direction would
say of the character then, and by whose likelihood the label is chosen (`asides`).
"""

from typing import Annotated

from pydantic import Field

from personas.authored_fields import Closed, Id, Phrase

MAX_EMOTIONS = 12


class Emotion(Closed):
    """A feeling that the game can show."""

    label: Id = Field(description="What the game is told, such as angry.")
    cue: Annotated[Phrase, Field(max_length=40)] = Field(
        description="What a narrator would write of the character then, in a word or two, in its"
        " language: furious. How likely the model is to write it decides."
    )


Emotions = Annotated[tuple[Emotion, ...], Field(max_length=MAX_EMOTIONS)]
