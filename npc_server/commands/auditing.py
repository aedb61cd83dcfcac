"""What a command does that others may ask about, written down under who runs it."""

from __future__ import annotations

import getpass
import os

from feedback_store import audit
from feedback_store.audit import Action
from npc_server.config import Config


def write_down(config: Config, action: Action, **about: str) -> None:
    """Append to the audit what the user of this terminal did. Raises AuditError."""
    audit.record(config.paths.audit, f"user {_user()}", action, **about)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())
