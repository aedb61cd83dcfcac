"""`npc persona status`: whether a running server serves what was saved last."""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import MessageToDict

from npc_server.commands.command_line import plural, say
from npc_server.commands.exit_codes import Exit

if TYPE_CHECKING:
    from npc_client.client import PersonaStatus


def show(status: PersonaStatus) -> Exit:
    """Print who is served and what is not; returns the exit code."""
    for one in status.personas:
        since = one.since.ToDatetime(UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        served = f"version {one.version}, since {since}" if one.version else "not served"
        say(f"{one.character}: {served}")
        for problem in one.problems:
            say(f"  not served: {problem}")
    if status.folder_problem:
        say(f"the cast stays as it is: {status.folder_problem}")
    broken = sum(bool(one.problems) for one in status.personas)
    say(f"{plural(len(status.personas), 'character')}, {broken} broken; {_following(status)}")
    return exit_of(status)


def print_json(status: PersonaStatus) -> Exit:
    """Print the same for scripts; returns the exit code."""
    content: dict[str, Any] = MessageToDict(
        status, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    print(json.dumps(content, ensure_ascii=False))
    return exit_of(status)


def exit_of(status: PersonaStatus) -> Exit:
    """USAGE where something that was saved is not served, as `npc persona check` has it."""
    broken = bool(status.folder_problem) or any(one.problems for one in status.personas)
    return Exit.USAGE if broken else Exit.DONE


def _following(status: PersonaStatus) -> str:
    if status.watch == "off":
        return "files are not followed"
    return f"{status.folder} is followed ({status.watch})"
