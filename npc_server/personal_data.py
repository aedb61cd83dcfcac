"""What of players' words is personal here: as set, with the cast's own names left alone."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from feedback_store.privacy.game_words import lexicon
from feedback_store.privacy.policy import Mode, Policy, policy
from npc_server.config import PrivacySection
from personas.persona import Persona

logger = logging.getLogger(__name__)


def redaction_policy(section: PrivacySection, cast: Iterable[Persona]) -> Policy:
    """The policy of a server: nobody of the cast, and none of the studio's words, is personal."""
    lexicon()  # read now rather than in somebody's first turn
    names = [name for persona in cast for name in (persona.id, persona.name)]
    return policy(section.redaction, [*names, *section.never_personal])


def warn_if_off(section: PrivacySection) -> None:
    """Say at start, loudly, what it means that nothing is taken out."""
    if section.redaction is Mode.OFF:
        logger.warning(
            "[privacy] redaction is off: e-mail addresses, telephone, card and account numbers, IP"
            " addresses, passwords in links and handles stay in what players write; they are"
            " stored, exported and trained on as they are, and a character may repeat them to other"
            " players"
        )
