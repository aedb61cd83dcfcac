"""A chat template, compiled as transformers does it: in a sandbox, over plain data.

Templates come with models, from anybody. The clock stands still in them: a prompt must not depend
on the day, or what is trained today is not what is served tomorrow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import nodes
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from personas.authored_text import NotUtf8Error, text_of
from personas.errors import ChatFormatError
from personas.known_names import no_such_file

#: The day that templates of the Llama 3 family write when they know of no clock.
_DAY = datetime(2024, 7, 26, tzinfo=UTC)
_EXCERPT = 120
_MOST_ITEMS = 1_000_000  # that a template may make or count in one text


class ChatTemplate:
    """A template, and what its model spells BOS and EOS. Raises ChatFormatError."""

    def __init__(self, source: str, *, bos: str, eos: str, thinks: bool = False) -> None:
        self._values = {
            "bos_token": bos,
            "eos_token": eos,
            "enable_thinking": thinks,
            "thinking": thinks,
            "tools": None,
            "documents": None,
        }
        self._lists: dict[str, list[object]] = {
            "tools": [],
            "documents": [],
        }  # for templates that go through them anyway
        try:
            self._template = _environment().from_string(source)
        except Exception as error:  # foreign code: it may raise anything
            raise ChatFormatError(f"its chat template cannot be read: {_brief(error)}") from error

    def text(self, messages: Sequence[Mapping[str, object]], *, asks: bool) -> str:
        """What the template writes; `asks`: up to where the assistant begins to speak.

        Raises ChatFormatError.
        """
        values = {**self._values, "messages": messages, "add_generation_prompt": asks}
        values["range"] = _Range()
        try:
            try:
                return self._template.render(values)
            except TypeError:
                return self._template.render({**values, **self._lists})
        except Exception as error:  # foreign code: it may raise anything
            raise ChatFormatError(f"its chat template fails: {_brief(error)}") from error


def read_template(file: Path) -> str:
    """The template in a file. Raises ChatFormatError."""
    if not file.exists():
        raise ChatFormatError(no_such_file("chat template", file))
    try:
        return text_of(file.read_bytes())
    except (OSError, NotUtf8Error) as error:
        raise ChatFormatError(f"it cannot be read: {error}") from error


def _brief(error: Exception) -> str:
    said = " ".join(str(error).split())
    return f"{said[:_EXCERPT] or 'no reason given'} ({type(error).__name__})"


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, within bounds of time and memory as well.

    A product or a power of a few letters is larger than any machine, and takes it all.
    """

    intercepted_binops = frozenset(["*", "**"])

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Multiply within bounds. Raises SecurityError."""
        sizes = [len(one) if isinstance(one, (str, list, tuple)) else one for one in (left, right)]
        if operator == "**" or not abs(sizes[0] * sizes[1]) <= _MOST_ITEMS:
            raise SecurityError(f"a chat template may not compute {operator} of such operands")
        return super().call_binop(context, operator, left, right)


class _Range:
    """`range` for a template, which may go through so many numbers in all."""

    def __init__(self) -> None:
        self._left = _MOST_ITEMS

    def __call__(self, *bounds: int) -> range:
        numbers = range(*bounds)
        self._left -= len(numbers)
        if self._left < 0:
            raise SecurityError(f"a chat template may not count beyond {_MOST_ITEMS:,}")
        return numbers


def _environment() -> ImmutableSandboxedEnvironment:
    environment = _Sandbox(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _json
    environment.filters["random"] = _first  # a prompt does not depend on chance
    environment.globals.update(
        raise_exception=_refuse,
        strftime_now=_DAY.strftime,
        dict=_Dict(),
        namespace=_Namespace,
    )
    return environment


class _Generation(Extension):
    """`{% generation %}`, which marks what a model wrote; here it is only passed through."""

    tags = {"generation"}  # noqa: RUF012 - how jinja2 declares it

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """As transformers writes it: jinja2's own filter escapes what HTML would read."""
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _first(items: Sequence[object]) -> object:
    return next(iter(items), None)


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)


class _Dict:
    """The name `dict` without the class behind it, whose attributes lead out of the sandbox."""

    def __call__(self, *pairs: Any, **named: Any) -> dict[Any, Any]:
        return dict(*pairs, **named)


class _Namespace(Namespace):
    """A namespace that stores no underscored attribute."""

    def __init__(*values: Any, **named: Any) -> None:
        self, *pairs = values  # so that a template may have an attribute called self
        stored = dict(*pairs, **named)
        for name in stored:
            _require_plain(name)
        Namespace.__init__(self, stored)

    def __setitem__(self, name: str, value: Any) -> None:
        _require_plain(name)
        super().__setitem__(name, value)


def _require_plain(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"a chat template may not store {name!r}")
