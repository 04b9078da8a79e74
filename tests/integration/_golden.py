"""The windows that the sample session has in the standard profile, as text; run it to write the file anew."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from pathlib import Path

import lamina
from lamina.protocols import ParseRequest

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "docs" / "examples" / "sample-session.jsonl"
FILE = Path(__file__).parent / "golden" / "sample-8000.txt"
BUDGET = 8000


async def windows(home: str) -> str:
    """The window of the whole session, which came at once, message by message; then a digest of those turn by turn."""
    async with lamina.open(settings={"home": home}, environ={}) as ctx:
        (done,) = await ctx.import_data(SAMPLE.read_bytes(), SAMPLE.name)
        window = await (await ctx.session(done.session)).window(BUDGET)
        lines = [f"{window.tokens} tokens"]
        for message in window.prefix:
            calls = [f"{call.name} {call.arguments}" for call in message.calls]
            lines += [f"======== {message.role}", *filter(None, [message.text, *calls])]
        digest, compactions = hashlib.blake2b(digest_size=16), 0
        turns = await ctx.session("turn by turn")
        for parsed in ctx.formats[done.format].parse(ParseRequest(data=SAMPLE.read_bytes())):
            if parsed.messages:
                await turns.add(*parsed.messages)
                window = await turns.window(BUDGET)
                compactions += window.compacted
                digest.update(repr((window.prefix, window.tokens, window.compacted)).encode())
        lines.append(f"======== turn by turn: {compactions} compactions, {digest.hexdigest()}")
        return "\n".join(lines) + "\n"


def made() -> str:
    """What the file should hold."""
    with tempfile.TemporaryDirectory() as home:
        return asyncio.run(windows(home))


if __name__ == "__main__":
    FILE.write_text(made(), encoding="utf-8")
