"""What a base's chat template says: is it ChatML, where BOS stands, how thinking is skipped.

Prompts are put together by id, never by a template, so that nobody can forge a turn. The template
is rendered once, over marks instead of contents, and the text around the marks is read. One that
cannot be rendered here is judged by its text. No file is read; nothing else of the engine is used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

START, STOP = "<|im_start|>", "<|im_end|>"
#: The marks of thought that are known, and their ends.
THOUGHTS = (("<think>", "</think>"), ("<thinking>", "</thinking>"), ("<thought>", "</thought>"))
EMPTY_THOUGHT = "<think>\n\n</think>\n\n"

_BOS = "\ue000"  # private use: in no template
_SAID = (
    ("system", "\ue001"),
    ("user", "\ue002"),
    ("assistant", "\ue003"),
    ("user", "\ue004"),
)
_FROZEN_DATE = "01 Jan 2026"  # a template must not make prompts of two days differ
_EXCERPT = 60


@dataclass(frozen=True)
class ChatFormat:
    """What a template asks for, as far as ChatML has room for it."""

    begins_with_bos: bool = False
    after_assistant: str = ""  # before every reply: an empty thought, of a base that thinks
    misfit: str = ""  # why the base must not be prompted in ChatML; "" = it may
    doubt: str = ""  # how the template differs from plain ChatML; "" = it does not


def read_template(template: str, *, bos: str = "", thinks: bool = False) -> ChatFormat:
    """What a chat template says.

    `bos` is the spelling of BOS; `thinks`: the vocabulary has tokens for the marks of a thought.
    """
    if not template.strip():
        return ChatFormat()
    written = _render(template)
    if written is None or not all(mark in written for _, mark in _SAID[1:]):
        return _by_its_text(template, thinks)
    written = written.lstrip()
    begun = next((text for text in (_BOS, bos) if _begins(written, text)), "")
    return _chatml(written.removeprefix(begun).lstrip().replace(_BOS, ""), bool(begun))


def _begins(written: str, bos: str) -> bool:
    return bos not in ("", START) and written.startswith(bos)


def _chatml(written: str, begins_with_bos: bool) -> ChatFormat:
    found = f"its chat template writes {_excerpt(written)}"
    if f"{START}user\n{_SAID[1][1]}" not in written:
        return ChatFormat(begins_with_bos, misfit=found)
    plain = "".join(f"{START}{role}\n{mark}{STOP}\n" for role, mark in _SAID)
    opened = f"{START}assistant\n"
    after_all = written[written.rfind(_SAID[-1][1]) :].partition(opened)[2]
    same = written == plain + opened + after_all
    return ChatFormat(begins_with_bos, _with_thought_ended(after_all), doubt="" if same else found)


def _with_thought_ended(tail: str) -> str:
    """The beginning of a reply with any thought in it ended."""
    if not tail.strip():
        return ""
    for begins, ends in THOUGHTS:
        if begins in tail and ends not in tail:
            return f"{tail.rstrip()}\n\n{ends}\n\n"
    return tail


def _by_its_text(template: str, thinks: bool) -> ChatFormat:
    bos = re.match(r"\s*\{\{[-+]?\s*bos_token\b", template) is not None
    thought = EMPTY_THOUGHT if thinks and "enable_thinking" in template else ""
    doubt = "" if START in template else f"its chat template does not name {START}"
    return ChatFormat(bos, thought, doubt=doubt)


def _render(template: str) -> str | None:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda _format: _FROZEN_DATE
    said = [{"role": role, "content": content} for role, content in _SAID]
    try:
        return environment.from_string(template).render(
            messages=said,
            bos_token=_BOS,
            eos_token=STOP,
            add_generation_prompt=True,
            enable_thinking=False,
            thinking=False,
        )
    except Exception:  # foreign code: it may raise anything
        return None


def _refuse(message: str) -> None:
    raise ValueError(message)


def _excerpt(written: str) -> str:
    """The beginning of what a template wrote, with names for the marks."""
    names = [mark for _, mark in _SAID]
    for number, name in enumerate(names):
        written = written.replace(name, ("SYSTEM", "LINE", "REPLY", "LINE")[number])
    return repr(written[:_EXCERPT])
