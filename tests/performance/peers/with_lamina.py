"""lamina, in memory: the standard profile, and the same with the pager ``compact``."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import walk

import lamina
from lamina.protocols import ParseRequest

IN_MEMORY: dict[str, Any] = {
    "storages": {"replay": {"use": "memory"}},
    "log": {"storage": "replay"},
    "memory": {"tiers": []},
}


class LaminaPolicy:
    """A session."""

    def __init__(self, session: Any, messages: Sequence[Any], budget: int) -> None:
        self._session, self._messages, self._budget = session, messages, budget

    def read(self, index: int, message: walk.ChatMessage) -> Any:
        return self._messages[index]

    async def add(self, message: Any) -> None:
        await self._session.add(message)

    async def window(self) -> Any:
        return await self._session.window(self._budget)

    def write(self, window: Any) -> list[walk.ChatMessage]:
        return window.messages("openai")


def variant(budget: int, settings: dict[str, Any]) -> walk.Variant:
    @asynccontextmanager
    async def opened() -> AsyncIterator[walk.OpenSession]:
        async with lamina.open(settings={**IN_MEMORY, **settings}, profile="standard") as context:
            form = await context.format("openai")

            async def open_session(name: str, messages: Sequence[walk.ChatMessage]) -> LaminaPolicy:
                parsed = form.parse(ParseRequest(data=json.dumps({"messages": list(messages)}).encode()))
                natives = [native for record in parsed for native in record.messages]
                if len(natives) != len(messages):
                    raise ValueError(f"{name}: {len(messages)} messages were read as {len(natives)}")
                return LaminaPolicy(await context.session(name), natives, budget)

            yield open_session

    return opened


def build(budget: int, sessions: walk.Sessions) -> Mapping[str, walk.Variant]:
    return {
        "standard profile": variant(budget, {}),
        "pager compact": variant(budget, {"window": {"pager": "compact"}}),
    }


if __name__ == "__main__":
    walk.main("lamina", build)
