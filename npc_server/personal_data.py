"""What of players' words is personal here: as set, with the cast's own names left alone."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from feedback_store.privacy.game_words import lexicon
from feedback_store.privacy.policy import CAREFUL, Mode, Policy, policy
from npc_server.config import PrivacySection
from npc_server.live_cast import Cast
from personas.persona import Persona

logger = logging.getLogger(__name__)


def redaction_policy(section: PrivacySection, cast: Iterable[Persona]) -> Policy:
    """The policy of a server: nobody of the cast, and none of the studio's words, is personal."""
    lexicon()  # read now rather than in somebody's first turn
    names = [name for persona in cast for name in (persona.id, persona.name)]
    return policy(section.redaction, [*names, *section.never_personal])


class PolicyOfCast:
    """The policy of a server, with the names of those who are in its cast at the moment."""

    def __init__(self, section: PrivacySection, cast: Cast) -> None:
        self._section = section
        self._cast = cast
        self._seen = -1  # changes of the cast
        self._policy = CAREFUL

    def __call__(self) -> Policy:
        """The policy now."""
        if self._seen != self._cast.changes:
            self._seen = self._cast.changes
            self._policy = redaction_policy(self._section, self._cast.values())
        return self._policy


def warn_if_off(section: PrivacySection) -> None:
    """Say at start, loudly, what it means that nothing is taken out."""
    if section.redaction is Mode.OFF:
        logger.warning(
            "[privacy] redaction is off: e-mail addresses, telephone, card and account numbers, IP"
            " addresses, passwords in links and handles stay in what players write; they are"
            " stored, exported and trained on as they are, and a character may repeat them to other"
            " players"
        )
