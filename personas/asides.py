"""Asides: what a narrator would write of a character, in brackets, behind its words.

After "(Mira:" a model is far likelier to write "angry" behind some words than behind others. So the
frame is read behind a reply, and every declared emotion is compared by the log-probability of its
first token, all in one pass; nothing is ever read out of the words. Those that begin alike are told
apart by the tokens after.

Actions are compared in the same way, but behind the line that was said to the character, before its
reply: what is to be done depends on what was asked for, and the words of a small model say less of
that than the line does.

Some words are likely behind anything. What a model says of them behind an exchange that says
nothing is therefore taken off: contextual calibration (Zhao et al. 2021, "Calibrate Before Use").
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from personas.actions import Action
from personas.chat import Tokenizer
from personas.chat_ids import shared_length
from personas.persona import Persona

Ids = tuple[int, ...]

#: Exchanges behind which nothing is to be felt, as (player, reply).
EMPTY_EXCHANGES = (("...", "..."), ("What?", "I see."))
#: Lines behind which nothing is to be done.
EMPTY_LINES = ("...", "What?", "Hm.", "Well.", "Yes.", "I see.", "Hello.")
#: An action must be likelier than none by so many nats, and by more the more of them there are.
ACTION_MARGIN = 1.5
#: Names are cut to what tells them from others: more tokens would be computed for every reply.
_LONG_ENOUGH = 4  # letters, of a name's word
_NOTHING = ("nothing", "says")


@dataclass(frozen=True)
class Option:
    """One way to go on behind the frame."""

    name: str  # of the emotion or action; "" = nothing is done
    ids: Ids  # behind the frame, its closing bracket included


@dataclass(frozen=True)
class Aside:
    """A frame with all that may stand in it."""

    frame: Ids
    emotions: tuple[Option, ...]
    actions: tuple[Option, ...]
    nothing: tuple[Option, ...]  # ways to say that no action is taken

    @property
    def tokens(self) -> Ids:
        """The first tokens of all options, each once."""
        options = (*self.emotions, *self.actions, *(self.nothing if self.actions else ()))
        return tuple(dict.fromkeys(option.ids[0] for option in options))

    def only(self, *, emotions: bool, actions: Collection[str]) -> Aside:
        """The same with all emotions or none, and these of the actions."""
        kept = tuple(option for option in self.actions if option.name in actions)
        return replace(self, emotions=self.emotions if emotions else (), actions=kept)


def aside(persona: Persona, tokenizer: Tokenizer) -> Aside:
    """What can be asked of the character: all of its emotions and actions.

    What all options begin with goes to the frame, where a tokenizer has blanks of their own.
    """
    start = frame(persona, tokenizer)
    emotions = [_option(one.label, one.cue, tokenizer) for one in persona.emotions]
    actions = [_option(one.name, one.spoken, tokenizer) for one in persona.actions]
    nothing = [_option("", text, tokenizer) for text in _NOTHING]
    every = [option.ids for option in (*emotions, *actions, *nothing)]
    shared = min(shared_length(every[0], ids) for ids in every)
    cut = [
        tuple(Option(one.name, one.ids[shared:]) for one in options)
        for options in (emotions, actions, nothing)
    ]
    return Aside((*start, *every[0][:shared]), *cut)


def frame(persona: Persona, tokenizer: Tokenizer) -> Ids:
    """What stands behind a reply where an aside begins."""
    return following(f" ({short_name(persona.name)}:", ".", tokenizer)


def _option(name: str, text: str, tokenizer: Tokenizer) -> Option:
    return Option(name, following(f" {text})", ":", tokenizer))


def arguments_start(action: Action, tokenizer: Tokenizer) -> Ids:
    """What stands behind the frame, where an action's arguments are to follow as JSON."""
    return following(f" {action.spoken} ", ":", tokenizer)


def short_name(name: str) -> str:
    """A name as a narrator has it: the first word that is long enough, or all of it."""
    return next((word for word in name.split() if len(word) >= _LONG_ENOUGH), name)


def following(text: str, before: str, tokenizer: Tokenizer) -> Ids:
    """The ids of a text that goes on: SentencePiece puts a space in front of what begins."""
    lead = tokenizer.encode(before)
    ids = tokenizer.encode(before + text)
    return tuple(ids[len(lead) :] if ids[: len(lead)] == lead else tokenizer.encode(text))


def calibrated_scores(
    logprobs: Mapping[int, float], empty: Sequence[Mapping[int, float]]
) -> dict[int, float]:
    """Log-probabilities by token, less what they are on average behind empty exchanges."""
    return {
        token: logprob - sum(one[token] for one in empty) / len(empty)
        for token, logprob in logprobs.items()
    }


def likeliest(
    options: Sequence[Option], scores: Mapping[int, float], depth: int = 0
) -> tuple[Option, ...]:
    """The options whose token at this depth scores highest: several where they begin alike."""
    best = max((option.ids[depth] for option in options), key=lambda token: scores[token])
    return tuple(option for option in options if option.ids[depth] == best)


def share(options: Sequence[Option], chosen: Option, scores: Mapping[int, float]) -> float:
    """How much of all weight has what begins as the chosen option, from 0 to 1."""
    firsts = {option.ids[0] for option in options}
    top = max(scores[token] for token in firsts)
    weights = {token: math.exp(scores[token] - top) for token in firsts}
    return weights[chosen.ids[0]] / sum(weights.values())


def due_actions(
    aside: Aside, scores: Mapping[int, float], leads: Mapping[str, float]
) -> tuple[Option, ...]:
    """The likeliest action, if it is likelier than none; several where they begin alike.

    Each is as likely as the next before. `leads` are what else speaks for them, in nats, by name.
    """
    best = max(aside.actions, key=lambda option: scores[option.ids[0]] + leads[option.name])
    none = sum(scores[option.ids[0]] for option in aside.nothing) / len(aside.nothing)
    lead = scores[best.ids[0]] + leads[best.name] - none
    if lead <= ACTION_MARGIN + math.log(len(aside.actions)):
        return ()
    alike = (option for option in aside.actions if option.ids[0] == best.ids[0])
    return tuple(option for option in alike if leads[option.name] == leads[best.name])
