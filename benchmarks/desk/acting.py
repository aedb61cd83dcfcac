"""What emotion and action cost: tokens computed for them beside those of the turns they go with."""

from __future__ import annotations

from benchmarks.desk.workspace import Workspace, server
from benchmarks.measures import Estimate
from benchmarks.parts import PartResult
from npc_client.client import Client, Reply
from personas.persona_files import SAMPLE_CHARACTERS

CHARACTER = "mira"  # who has emotions and actions
#: A visit to a smithy: some lines ask for something to be done, most do not.
LINES = (
    "Good morning!",
    "Can you mend this sword? I have coin.",
    "That is the finest blade I have ever held.",
    "My plough is broken, please fix it.",
    "You are a liar and your work is rubbish.",
    "How do I get to the ferry?",
    "Do you miss your mother?",
    "There are riders with torches at the gate!",
    "Give me that sword for free.",
    "Here is a bent horseshoe. Mend it for three coppers.",
    "What is your hammer called?",
    "Goodbye.",
)


async def run(workspace: Workspace) -> PartResult:
    """Visit Mira again and again; the first visit pays for what is found out once."""
    costs, visits = [], workspace.extent.visits
    async with (
        server(workspace, SAMPLE_CHARACTERS, "acting") as running,
        Client(running.address) as client,
    ):
        replies: list[Reply] = []
        for visit in range(visits):
            workspace.tell("visit a smith", visit, visits)
            talk = await _visit(client, visit)
            costs.append(_cost(talk))
            replies += talk
    acted = sum(reply.action is not None for reply in replies) / len(replies)
    figures = {
        "action_cost": Estimate(_cost(replies), min(costs), max(costs)),
        "acting_turns": Estimate(acted, acted, acted),
    }
    return PartResult(figures, {"action_cost": costs})


async def _visit(client: Client, number: int) -> list[Reply]:
    session = (await client.start_session(CHARACTER, f"player-{number}")).session_id
    seeds = range(100 * number, 100 * number + len(LINES))
    return [
        await client.say(session, line, seed=seed) for line, seed in zip(LINES, seeds, strict=True)
    ]


def _cost(replies: list[Reply]) -> float:
    """Tokens computed for emotion and action, per token computed for prompt and reply."""
    turn = sum(one.prompt_tokens - one.cached_tokens + one.tokens for one in replies)
    return sum(one.aside_tokens for one in replies) / turn
