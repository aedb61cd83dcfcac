"""Where conversations are kept, in memory and on disk, and under what rules of privacy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from feedback_store.privacy.policy import Policy, careful
from feedback_store.privacy.pseudonyms import Pseudonyms
from npc_server.recorder import Recorder
from npc_server.sessions import Sessions


@dataclass(frozen=True)
class Conversations:
    """The open sessions, and what records them."""

    sessions: Sessions
    recorder: Recorder
    pseudonyms: Pseudonyms
    silence: timedelta  # after a reply; longer is a derived signal
    redaction: Callable[[], Policy] = careful  # of players' lines, at the moment
