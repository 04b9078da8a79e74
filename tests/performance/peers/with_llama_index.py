"""llama-index's ``ChatMemoryBuffer``, and ``Memory``, which its documentation recommends instead of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import walk
from llama_index.core.llms import ChatMessage
from llama_index.core.memory import ChatMemoryBuffer, Memory

EXTRA = ("tool_calls", "tool_call_id")


def encode(text: str) -> list[int]:
    return walk.encoding().encode_ordinary(text)


def native(message: walk.ChatMessage) -> ChatMessage:
    """Calls travel in ``additional_kwargs``, as those of its OpenAI integration do."""
    extra = {name: message[name] for name in EXTRA if name in message}
    return ChatMessage(role=message["role"], content=message.get("content") or "", additional_kwargs=extra)


class LlamaIndexPolicy:
    """Both memories hold what is said after the system message, which the chat engines keep apart, as a prefix."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._prefix: list[ChatMessage] = []
        self._prefix_tokens = 0
        self._memory: Any = None

    def read(self, index: int, message: walk.ChatMessage) -> ChatMessage:
        return native(message)

    async def add(self, message: ChatMessage) -> None:
        if message.role == "system" and self._memory is None:
            self._prefix = [message]
            self._prefix_tokens = len(encode(str(message.content)))
            return
        if self._memory is None:
            self._memory = self._open()
        await self._put(message)

    def write(self, window: list[ChatMessage]) -> list[walk.ChatMessage]:
        return [{"role": one.role.value, "content": one.content or "", **one.additional_kwargs} for one in window]

    def _open(self) -> Any:
        raise NotImplementedError

    async def _put(self, message: ChatMessage) -> None:
        raise NotImplementedError


class BufferPolicy(LlamaIndexPolicy):
    def _open(self) -> ChatMemoryBuffer:
        return ChatMemoryBuffer.from_defaults(token_limit=self._budget, tokenizer_fn=encode)

    async def _put(self, message: ChatMessage) -> None:
        self._memory.put(message)

    async def window(self) -> list[ChatMessage]:
        if self._memory is None:
            return list(self._prefix)
        return self._prefix + self._memory.get(initial_token_count=self._prefix_tokens)


class MemoryPolicy(LlamaIndexPolicy):
    def _open(self) -> Memory:
        # No memory blocks, so the whole limit is the history's.
        return Memory.from_defaults(
            token_limit=self._budget - self._prefix_tokens, chat_history_token_ratio=1.0, tokenizer_fn=encode
        )

    async def _put(self, message: ChatMessage) -> None:
        await self._memory.aput(message)

    async def window(self) -> list[ChatMessage]:
        if self._memory is None:
            return list(self._prefix)
        return self._prefix + await self._memory.aget()


def build(budget: int, sessions: walk.Sessions) -> Mapping[str, walk.Variant]:
    return {
        "ChatMemoryBuffer": walk.plain(lambda: BufferPolicy(budget)),
        "Memory": walk.plain(lambda: MemoryPolicy(budget)),
    }


if __name__ == "__main__":
    walk.main("llama-index-core", build)
