"""Handles, found in plain text: names on social networks and chats.

`handles` finds all that has the form of one, but groups and times after an @ ("meet @noon").
`likely_handles` leaves alone what games write alike: somebody called by their part (@blacksmith),
a place (@docks), a thing with a number (Guard#2041). A single plain word after an @ is taken for a
name or a place, as names are, unless the words around it speak of a network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from feedback_store.privacy.game_words import lexicon

Span = tuple[int, int]

_AT_NAME = re.compile(r"(?<![\w@])@([^\W\d](?:[.-]?\w){1,38})")
_TAG = re.compile(r"(?<![\w.#@-])([\w.-]{3,32})#\d{4,5}(?!\w)")
_ON_A_NETWORK = re.compile(
    r"\b(?:discord|insta(?:gram)?|snap(?:chat)?|telegram|twitter|tiktok|steam|psn|xbox|gamertag|skype"
    r"|whatsapp|twitch|kik|wechat|battletag|yt|youtube)"
    r"(?: (?:id|tag|name|handle|user|username|account))?(?: ?[:=] ?| is )"
    r"(@?[^\W\d](?:[.-]?\w){3,38})",
    re.IGNORECASE,
)
_LETTER = re.compile(r"[^\W\d_]")
_LIKE_A_LOGIN = re.compile(r"[\d_]|\w[.-]\w|[a-z][A-Z]")
_NOBODY = re.compile(
    r"everyone|everybody|here|all|team|party|guild|channel|raid|group|clan|squad|crew|noon"
    r"|midnight|midday|dawn|dusk|morning|night|sunrise|sunset|breakfast|lunch|dinner|home"
    r"|work|school|town|base|spawn|camp|gate|mid|top|bot|bottom|max|min|level|lvl|least"
    r"|most|once|me|you|us|it|my|your|the|this|that|half|full|war|peace|sea|online",
    re.IGNORECASE,
)
_THING = re.compile(
    r"order|quest|item|ticket|room|bug|issue|error|case|build|seed|chapter|level|page|top"
    r"|rank|player|number|nr|id|post|thread|channel|door|code|unit|lot|part|note|tile|slot"
    r"|npc|entity|mob|loot|card|save|game|match|round|wave|map|zone",
    re.IGNORECASE,
)


def handles(text: str) -> Iterator[Span]:
    """@name, name#1234, a name said to be on a network; no groups or times after an @."""
    for pattern, excluded in ((_AT_NAME, _NOBODY), (_TAG, _THING)):
        for match in pattern.finditer(text):
            if _LETTER.search(match[1]) and not excluded.fullmatch(match[1]):
                yield match.span()
    for match in _ON_A_NETWORK.finditer(text):
        if _LIKE_A_LOGIN.search(match[1]):
            yield match.span(1)


_SOCIAL_BEFORE = re.compile(
    r"(?:\b(?:follow|add|adding|dm|pm|msg|tag|friend|subscribe(?: to)?|sub(?: to)?|message me"
    r"|find me|hmu|hit me up|shout ?out(?: to)?|look me up|insta(?:gram)?|discord|twitter|tiktok"
    r"|telegram|snap(?:chat)?|twitch|youtube|yt|steam|psn|xbox|skype|kik|mastodon|bluesky|bsky"
    r"|threads|reddit|facebook|fb|battle\.?tag|gamertag|handle|username|user ?name|nick|nickname"
    r"|login|account|profile|suivez|ajoute|sígueme|sigue|agrega|segue|adiciona|seguimi|folg[et]?|adde)\b"
    r"|подпишись|добавь|телеграм|дискорд|инста|フォロー|追加|加我|关注|微信|추가|팔로우)"
    r"[^@#\n]{0,20}$",
    re.IGNORECASE,
)
_SOCIAL_AFTER = re.compile(
    r"\W{0,3}(?:(?:is|it's|that's) )?(?:(?:on|in|at|auf|sur|en|no|su|в|my|me on) )?"
    r"(?:my |his |her )?"
    r"(?:discord|insta(?:gram)?|twitter|x\b|tiktok|telegram|snap(?:chat)?|twitch|youtube|steam\b|psn"
    r"|xbox|skype|kik|mastodon|bluesky|reddit|facebook|handle|username|account|battletag|gamertag"
    r"|дискорд|телеграм|инста)",
    re.IGNORECASE,
)
_SOCIAL_REACH = 48  # signs before or after
_PLACED = re.compile(
    r"\b(?:meet (?:me|us|you|him|her|them)?|meeting|was|were|be|are|is|wait(?:ing)?|camp(?:ing)?"
    r"|gather|see you|stay|stand(?:ing)?|hiding|hide|rendez-vous|treffen|treffpunkt|nos vemos) ?$",
    re.IGNORECASE,
)
_INNER_CAPITAL = re.compile(r"(?!Ma?c[A-Z])\w*[a-z][A-Z]")
_PART = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![a-z])|\d+")
_MOST_STAGES = 20  # gate7, floor_12; a greater number is rather part of a login
_OF_A_KIND = re.compile(
    r"\b(?:the|a|an|this|that|each|every|der|die|das|den|dem|ein|eine|le|la|el|les|los|un|une|una|o"
    r"|os|il|lo|attack|kill|target|spawn|loot|open|destroy|inspect|examine|talk to|speak to"
    r"|speak with|report to|escort|defeat|fight|behind|beside|near) $",
    re.IGNORECASE,
)
_OFTEN_WORDS = re.compile(r"(?:steam|snap|twitch|kik|discord|telegram)\b", re.IGNORECASE)
_OWNED = re.compile(r"\b(?:my|his|her|our|add|id|tag|name|handle|account|user(?:name)?)\b", re.I)
_ENDS = re.compile(r"\s*[.!?)\n\"']?\s*$|\s+(?:add|dm|pls|please|lol|btw|ok)\b", re.I)


def likely_handles(text: str) -> Iterator[Span]:
    """Handles that are not more likely a name, a place or a thing of the game."""
    for start, end in handles(text):
        written = text[start:end]
        if written.startswith("@"):
            if _is_likely_login(text, start, end):
                yield start, end
        elif "#" in written:
            if _is_likely_tag(text, start, end):
                yield start, end
        elif _is_likely_on_network(text, start, end):
            yield start, end


def _is_likely_login(text: str, start: int, end: int) -> bool:
    name = text[start + 1 : end]
    if _is_social(text, start, end) or text[max(0, start - 1) : start] == ".":
        return True
    joined = re.search(r"[\d_.]", name) is not None
    if not joined and "-" not in name and not _INNER_CAPITAL.match(name):
        return False
    if not joined and _PLACED.search(text[max(0, start - _SOCIAL_REACH) : start]):
        return False
    return not _is_of_the_game(name)


def _is_likely_tag(text: str, start: int, end: int) -> bool:
    if _is_social(text, start, end):
        return True
    name = text[start:end].split("#")[0]
    before = text[max(0, start - _SOCIAL_REACH) : start]
    plain_word = name.isalpha()
    return not (_is_of_the_game(name) or (plain_word and _OF_A_KIND.search(before)))


def _is_likely_on_network(text: str, start: int, end: int) -> bool:
    login = text[start:end]
    said = text[max(0, start - 32) : start]
    network = list(_OFTEN_WORDS.finditer(said))
    if not network or re.search(r"\d", login):
        return not _is_of_the_game(login)
    if _OWNED.search(said):
        return True
    return not _is_of_the_game(login) and _ENDS.match(text, end) is not None


def _is_social(text: str, start: int, end: int) -> bool:
    before = text[max(0, start - _SOCIAL_REACH) : start]
    after = text[end : end + _SOCIAL_REACH]
    return bool(_SOCIAL_BEFORE.search(before) or _SOCIAL_AFTER.match(after))


def _is_of_the_game(name: str) -> bool:
    """Whether a name is made of words for parts, places and things: @old_mill, @LordVarek."""
    parts = [part.casefold() for part in _PART.findall(name)]
    if not parts or any(part.isdigit() and int(part) > _MOST_STAGES for part in parts):
        return False
    kinds = [lexicon().lists_of(part) for part in parts]
    own = [
        part.isdigit() or bool(kind & _OF_GAMES) for part, kind in zip(parts, kinds, strict=True)
    ]
    return all(own) or _is_titled(name, kinds) or _is_named_after(name, kinds, own)


_OF_GAMES = frozenset({"names", "numbers", "other_numbers", "joints"})


def _is_titled(name: str, kinds: Sequence[frozenset[str]]) -> bool:
    """Whether it is a title and somebody's name: @King_Aldric."""
    return "titles" in kinds[0] and len(kinds) == 2 and name[-1:].isalpha()


def _is_named_after(name: str, kinds: Sequence[frozenset[str]], own: Sequence[bool]) -> bool:
    """Whether it names a place or a part with words of its own: @sunken_ship, @Bridge_of_Sighs."""
    if not re.fullmatch(r"[^\W\d_]+(?:[_-][^\W\d_]+)+", name):
        return False
    joined = (own[0] and "joints" in kinds[1]) or ("joints" in kinds[0] and own[-1])
    return joined or (own[-1] and "surnames" not in kinds[-1])
