"""Settings of a server without the guard, for tests of other things.

A guarded reply is shown a word late, and the scripted engine halts at words.
"""

from npc_server.config import GuardSection
from npc_server.guard import RULES

UNGUARDED = GuardSection(off=RULES)
