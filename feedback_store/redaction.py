"""The door for scripts: `from feedback_store.redaction import redact`. The work is in `privacy`."""

from feedback_store.privacy.policy import Mode, Policy, policy
from feedback_store.privacy.redaction import Category, Finding, findings, redact

__all__ = ["Category", "Finding", "Mode", "Policy", "findings", "policy", "redact"]
