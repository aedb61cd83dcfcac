"""A player's program in a process of its own, to be killed or stopped in the middle of a reply.

Run as `python -m tests.support.lone_player ADDRESS SESSION LINE_ID`; prints the turn's id once it
has heard something.
"""

from __future__ import annotations

import subprocess
import sys

import grpc

from npc.v1 import dialogue_pb2, dialogue_pb2_grpc
from tests.support.paths import ROOT


def player(address: str, session: str, line_id: str) -> tuple[subprocess.Popen[str], str]:
    """A process that says "One." and hears the reply, and the turn's id; the caller ends it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.lone_player", address, session, line_id],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def _say(address: str, session: str, line_id: str) -> None:
    request = dialogue_pb2.SayRequest(session_id=session, text="One.", line_id=line_id)
    events = iter(dialogue_pb2_grpc.DialogueStub(grpc.insecure_channel(address)).Say(request))
    turn_id = next(events).started.turn_id
    next(events)  # something was heard
    print(turn_id, flush=True)
    for _ in events:
        pass


if __name__ == "__main__":
    _say(*sys.argv[1:])
