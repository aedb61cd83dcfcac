"""Calls as clients of OpenAI's API make them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from openai import AsyncOpenAI

Said = dict[str, str]


def user(text: str) -> Said:
    """A line of the player."""
    return {"role": "user", "content": text}


def reply(text: str) -> Said:
    """What the client says that the character said."""
    return {"role": "assistant", "content": text}


def system(text: str) -> Said:
    """What the client wants told."""
    return {"role": "system", "content": text}


def client_of(port: int, retries: int = 0) -> AsyncOpenAI:
    """OpenAI's own client."""
    base_url = f"http://127.0.0.1:{port}/v1"
    return AsyncOpenAI(base_url=base_url, api_key="none", max_retries=retries)


async def complete(client: AsyncOpenAI, *messages: Said, **options: Any) -> Any:
    """A completion by Mira, of player p1 unless another one is named."""
    asked: Any = list(messages)
    wanted = {"model": "mira", "user": "p1", **options}
    return await client.chat.completions.create(messages=asked, **wanted)


async def said(client: AsyncOpenAI, *messages: Said, **options: Any) -> str:
    """What she says."""
    return str((await complete(client, *messages, **options)).choices[0].message.content)


def texts(completion: Any) -> Sequence[str]:
    """What she says in every take."""
    return [str(choice.message.content) for choice in completion.choices]
