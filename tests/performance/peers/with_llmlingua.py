"""LLMLingua-2: the newest pages that fit half of the budget whole, each older one compressed to a third, once.

It compresses texts and knows no conversation, so a compressed page stands as one message of the user, without calls.
The oldest go where the budget ends. ``LAMINA_LLMLINGUA_MODEL`` names another model, or a folder that holds one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import walk

MODEL = "microsoft/llmlingua-2-bert-base-multilingual-cased-meetingbank"
RATE = 0.33


Page = list[walk.ChatMessage]


class LlmlinguaPolicy:
    def __init__(self, compressor: Any, budget: int) -> None:
        self._compressor, self._budget = compressor, budget
        self._system: Page = []
        self._pages: list[Page] = []
        self._tokens: list[int] = []
        self._short: dict[int, tuple[walk.ChatMessage, int]] = {}

    def read(self, index: int, message: walk.ChatMessage) -> walk.ChatMessage:
        return message

    async def add(self, message: walk.ChatMessage) -> None:
        tokens = walk.tokens(message)
        if message["role"] == "system" and not self._pages:
            self._system.append(message)
            self._budget -= tokens
        elif message["role"] == "tool" and self._pages:
            self._pages[-1].append(message)
            self._tokens[-1] += tokens
        else:
            self._pages.append([message])
            self._tokens.append(tokens)

    async def window(self) -> Page:
        if sum(self._tokens) <= self._budget:
            return self._system + [message for page in self._pages for message in page]
        first, room = len(self._pages), self._budget
        while first and self._budget - room + self._tokens[first - 1] <= self._budget // 2:
            first -= 1
            room -= self._tokens[first]
        if first == len(self._pages) and self._tokens[-1] <= room:
            # The newest page stands whole wherever there is room for it.
            first -= 1
            room -= self._tokens[first]
        old: Page = []
        for number in range(first - 1, -1, -1):
            short, tokens = self._compressed(number)
            room -= tokens
            if room < 0:
                break
            old.append(short)
        return self._system + old[::-1] + [message for page in self._pages[first:] for message in page]

    def _compressed(self, number: int) -> tuple[walk.ChatMessage, int]:
        if number not in self._short:
            page = self._pages[number]
            said = [one.get("content") or "" for one in page]
            said += [call["function"]["arguments"] for one in page for call in one.get("tool_calls") or ()]
            text = "\n".join(filter(None, said))
            # Digits are kept and lines stay lines: options of its own that suit what is not prose.
            options: dict[str, Any] = {"force_tokens": ["\n", "?"], "force_reserve_digit": True}
            done = self._compressor.compress_prompt([text], rate=RATE, **options)["compressed_prompt"] if text else ""
            short = {"role": "user", "content": done}
            self._short[number] = short, walk.tokens(short)
        return self._short[number]

    def write(self, window: list[walk.ChatMessage]) -> list[walk.ChatMessage]:
        return window


def build(budget: int, sessions: walk.Sessions) -> Mapping[str, walk.Variant]:
    from llmlingua import PromptCompressor

    # Its constructor asks tiktoken for cl100k_base.
    walk.offer_vocabulary(walk.scratch())
    model = os.environ.get("LAMINA_LLMLINGUA_MODEL", MODEL)
    compressor = PromptCompressor(model_name=model, use_llmlingua2=True, device_map="cpu")
    return {f"LLMLingua-2, rate {RATE}": walk.plain(lambda: LlmlinguaPolicy(compressor, budget))}


if __name__ == "__main__":
    walk.main("llmlingua", build)
