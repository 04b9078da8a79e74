"""langchain-core's ``trim_messages``, as its documentation shows it, and with the start that suits agents better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import walk
from langchain_core.messages import BaseMessage, convert_to_messages, trim_messages


class LangchainPolicy:
    """A list of messages that is trimmed anew for every window.

    The counter remembers what a message counts, which is the caller's to do and makes it as fast as it can be.
    """

    def __init__(self, budget: int, start_on: Any) -> None:
        self._budget, self._start_on = budget, start_on
        self._originals: dict[str, walk.ChatMessage] = {}
        self._tokens: dict[str, int] = {}
        self._history: list[BaseMessage] = []

    def _count(self, messages: list[BaseMessage]) -> int:
        total = 0
        for message in messages:
            key = str(message.id)
            if key not in self._tokens:
                self._tokens[key] = walk.tokens(self._originals[key])
            total += self._tokens[key]
        return total

    def read(self, index: int, message: walk.ChatMessage) -> BaseMessage:
        (native,) = convert_to_messages([{"content": "", **message}])
        native.id = str(index)
        self._originals[native.id] = message
        return native

    async def add(self, message: BaseMessage) -> None:
        self._history.append(message)

    async def window(self) -> list[BaseMessage]:
        return trim_messages(
            self._history,
            max_tokens=self._budget,
            token_counter=self._count,
            strategy="last",
            start_on=self._start_on,
            include_system=True,
            allow_partial=False,
        )

    def write(self, window: list[BaseMessage]) -> list[walk.ChatMessage]:
        # Nothing in them was changed (no partial messages), so the originals stand for them, byte for byte.
        return [self._originals[str(message.id)] for message in window]


def build(budget: int, sessions: walk.Sessions) -> Mapping[str, walk.Variant]:
    return {
        'trim_messages, start_on="human"': walk.plain(lambda: LangchainPolicy(budget, "human")),
        'trim_messages, start_on=("human", "ai")': walk.plain(lambda: LangchainPolicy(budget, ("human", "ai"))),
    }


if __name__ == "__main__":
    walk.main("langchain-core", build)
