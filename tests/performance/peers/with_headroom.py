"""headroom-ai's ``compress``, alone and with the newest pages that fit.

It makes messages smaller, each for itself, and never drops one, so it keeps to no budget: that is not what it is for.
Alone it shows what its compression loses and costs; cut to the budget behind it, what it adds to trimming.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

import walk

PROFILE = "agent-90"
"""The strongest of its named profiles, made for coding agents."""


class HeadroomPolicy:
    """All messages, compressed for every window; each time from the originals, as its documentation does."""

    def __init__(self, compress: Any, budget: int, *, cut: bool) -> None:
        self._compress, self._budget, self._cut = compress, budget, cut
        self._history: list[walk.ChatMessage] = []

    def read(self, index: int, message: walk.ChatMessage) -> walk.ChatMessage:
        return message

    async def add(self, message: walk.ChatMessage) -> None:
        self._history.append(message)

    async def window(self) -> list[walk.ChatMessage]:
        # The model only chooses the tokenizer: cl100k_base.
        done = self._compress(self._history, model="gpt-4", model_limit=self._budget, savings_profile=PROFILE)
        return walk.newest_that_fit(done.messages, self._budget) if self._cut else done.messages

    def write(self, window: list[walk.ChatMessage]) -> list[walk.ChatMessage]:
        return window


def build(budget: int, sessions: walk.Sessions) -> Mapping[str, walk.Variant]:
    # It keeps originals in the user's home, and may ask the network for prices.
    home = walk.scratch()
    os.environ.update(HOME=str(home), HEADROOM_OFFLINE="1", HF_HUB_OFFLINE="1")
    walk.offer_vocabulary(home / "tiktoken")
    logging.disable(logging.WARNING)
    from headroom import compress

    return {
        f"compress, {PROFILE}": walk.plain(lambda: HeadroomPolicy(compress, budget, cut=False)),
        f"compress, {PROFILE}, then the newest that fit": walk.plain(
            lambda: HeadroomPolicy(compress, budget, cut=True)
        ),
    }


def notes() -> Sequence[str]:
    note = "headroom-ai: without its model for prose (Kompress), which has to be downloaded from Hugging Face"
    return [note]


if __name__ == "__main__":
    walk.main("headroom-ai", build, notes)
