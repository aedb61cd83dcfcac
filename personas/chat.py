"""What the renderer shares with a tokenizer: messages, and tokens that only a template writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Message:
    """One chat message; role is "system", "user" or "assistant"."""

    role: str
    content: str


class Special(Protocol):
    """A token that only a chat template writes, by its spelling."""

    @property
    def id(self) -> int: ...

    @property
    def spelling(self) -> str: ...

    @property
    def control(self) -> bool:
        """False = "user-defined": a reply that draws it shows its spelling."""
        ...

    @property
    def strips_before(self) -> bool:
        """Whether whitespace in front of it is left out."""
        ...

    @property
    def strips_after(self) -> bool:
        """Whether whitespace behind it is left out."""
        ...


class Tokenizer(Protocol):
    """What rendering needs of a model's tokenizer."""

    def encode(self, text: str) -> list[int]:
        """Plain text to ids; special tokens spelled in the text stay ordinary text."""
        ...

    def control(self, spelling: str) -> int:
        """The id of a special token; KeyError when the model has none spelled so."""
        ...

    @property
    def chat_template(self) -> str:
        """The Jinja template of a conversation; "" = the model comes with none."""
        ...

    @property
    def specials(self) -> Sequence[Special]:
        """Every special token, but those of mere whitespace."""
        ...

    @property
    def bos(self) -> int | None:
        """The token that texts begin with; None = the model has none."""
        ...

    @property
    def adds_bos(self) -> bool:
        """Whether BOS comes first even where the template does not write it."""
        ...

    @property
    def eos(self) -> int | None:
        """The token that texts end with; None = the model has none."""
        ...

    @property
    def thoughts(self) -> Sequence[tuple[str, str]]:
        """Spellings that a thought begins and ends with, in whatever model."""
        ...

    @property
    def thinks(self) -> bool:
        """Whether the model is to think before it replies, where it can."""
        ...
