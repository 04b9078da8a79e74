"""The session of the OpenAI Agents SDK: everything, and a limit of items.

Its limit is a number of items (a text, a call and a result are one each), not of tokens. The adapter chooses it with
the knowledge of all sessions: the largest with which at most one window in twenty is over the budget, and the largest
with which windows have the budget's size on average. The history is read as the SDK's ``Runner`` prepares it at the
start of a run (calls and results that the limit parted are dropped), but before every assistant message; a real run
reads it once and lets its own calls and results grow without a limit.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import walk
from agents.memory import SessionSettings, SQLiteSession
from agents.models.chatcmpl_converter import Converter
from agents.run_internal.session_persistence import prepare_input_with_session

OVER_AT_MOST = 0.05


def items_of(index: int, message: walk.ChatMessage) -> list[Any]:
    """The message as the SDK stores it."""
    content = message.get("content") or ""
    if message["role"] == "tool":
        return [{"type": "function_call_output", "call_id": message["tool_call_id"], "output": content}]
    if message["role"] != "assistant":
        return [{"role": message["role"], "content": content}]
    calls = message.get("tool_calls") or ()
    items: list[Any] = []
    if content or not calls:
        text = {"type": "output_text", "text": content, "annotations": []}
        items = [
            {
                "type": "message",
                "id": f"msg_{index}",
                "role": "assistant",
                "status": "completed",
                "content": [text],
            }
        ]
    return items + [
        {
            "type": "function_call",
            "call_id": call["id"],
            "name": call["function"]["name"],
            "arguments": call["function"]["arguments"],
        }
        for call in calls
    ]


class AgentsPolicy:
    """A session in SQLite's memory; the system message is the agent's instructions, which are no part of it."""

    def __init__(self, limit: int | None) -> None:
        self._session = SQLiteSession("replay", session_settings=SessionSettings(limit=limit))
        self._instructions: list[walk.ChatMessage] = []

    def read(self, index: int, message: walk.ChatMessage) -> list[Any]:
        if index == 0 and message["role"] == "system":
            self._instructions = [message]
            return []
        return items_of(index, message)

    async def add(self, message: list[Any]) -> None:
        if message:
            await self._session.add_items(message)

    async def window(self) -> Any:
        prepared, _ = await prepare_input_with_session([], self._session, None)
        return prepared

    def write(self, window: Any) -> list[walk.ChatMessage]:
        said = [dict(one) for one in Converter.items_to_messages(window)]
        for one in said:
            one["content"] = text_of(one.get("content"))
        return self._instructions + said


def text_of(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content or ())


def pressed_steps(budget: int, sessions: walk.Sessions) -> list[tuple[int, list[int]]]:
    """For every step whose history is over the budget: tokens of the system message, and of each item."""
    steps: list[tuple[int, list[int]]] = []
    for messages in sessions.values():
        system, counts = 0, []
        for index, message in enumerate(messages):
            if index and message["role"] == "assistant" and system + sum(counts) > budget:
                steps.append((system, list(counts)))
            if index == 0 and message["role"] == "system":
                system = walk.tokens(message)
            else:
                # What a message counts falls on its last item: the others are calls and texts of the same page.
                counts += [0] * (len(items_of(index, message)) - 1) + [walk.tokens(message)]
    return steps


def largest_limit(fits: Callable[[int], bool], most: int) -> int:
    return next((limit for limit in range(most, 1, -1) if fits(limit)), 1)


def build(budget: int, sessions: walk.Sessions) -> Mapping[str, walk.Variant]:
    steps = pressed_steps(budget, sessions)
    most = max((len(counts) for _, counts in steps), default=1)

    def sizes(limit: int) -> list[int]:
        return [system + sum(counts[-limit:]) for system, counts in steps]

    rarely_over = largest_limit(lambda n: sum(s > budget for s in sizes(n)) <= OVER_AT_MOST * len(steps), most)
    on_average = largest_limit(lambda n: sum(sizes(n)) <= budget * len(steps), most)
    limits = {
        "SQLiteSession, all": None,
        f"SQLiteSession, {rarely_over} items (95 % within the budget)": rarely_over,
        f"SQLiteSession, {on_average} items (the budget on average)": on_average,
    }
    return {name: walk.plain(functools.partial(AgentsPolicy, limit)) for name, limit in limits.items()}


if __name__ == "__main__":
    walk.main("openai-agents", build)
