"""What compressors keep of what later steps use, at equal targets: semantic beside truncate.

Run: ``LAMINA_SHARED=../shared python tests/performance/bench_compressors.py`` (about a minute). It reads the data and
the measures (atoms, content words) of the folder that LAMINA_SHARED names.

- ``claude`` and ``tau``: every page of at least 200 tokens of which calls are less than a tenth, as it enters behind the
  eight pages before it. Needed are the atoms of later assistant messages that stand in the page and neither in those
  pages nor in its own calls; ``kept`` is the share that the offer shows, ``context`` the share that it shows with 80
  characters on both sides within the line.
- ``locomo``: every session of a dialogue as one page; content words and word trigrams of the evidence of questions.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

from lamina.model import Message, Page, Text, ToolCall, assistant, tool_result
from lamina.protocols import CompressRequest
from lamina.testing import LoneHost
from lamina.testing.pages import shorten
from lamina_compressor_semantic import SemanticSettings, open_semantic
from lamina_compressor_truncate import TruncateSettings, open_truncate

SHARED = Path(os.environ.get("LAMINA_SHARED") or Path(__file__).resolve().parents[3] / "shared")
sys.path.insert(0, str(SHARED / "bench"))
import prose_score  # noqa: E402
import replay_score  # noqa: E402

SHARES = (0.25, 0.5)
OPENERS = {
    "truncate": (open_truncate, TruncateSettings()),
    "semantic": (open_semantic, SemanticSettings()),
    "semantic, telegraphic": (open_semantic, SemanticSettings(telegraphic=True)),
}


def count(texts):
    return [replay_score.ntok(text) for text in texts]


def message(raw):
    text = raw.get("content") or ""
    if raw["role"] == "tool":
        return tool_result(raw["tool_call_id"], text)
    if raw["role"] == "assistant":
        calls = (c["function"] | {"id": c["id"]} for c in raw.get("tool_calls") or ())
        return assistant(text, *(ToolCall(c["id"], c["name"], c["arguments"]) for c in calls))
    return Message(raw["role"], (Text(text),))


def page(id, raws):
    return Page(id, tuple(map(message, raws)), tuple(map(replay_score.mtok, raws)))


def said(messages):
    """All texts and arguments, as the measures read them."""
    parts = (part for message in messages for part in message.parts)
    return replay_score.unescaped("\n".join(p.arguments if isinstance(p, ToolCall) else p.text for p in parts))


def entering(kind):
    """Each page with those before it and the atoms that are needed of it later."""
    for name, raws in replay_score.load(SHARED / "data").items():
        if not name.startswith(kind):
            continue
        units = replay_score.units(raws)
        pages = [page(i, unit) for i, unit in enumerate(units, 1)]
        uses = [
            frozenset().union(
                *(replay_score.atoms(replay_score.said(raw)) for raw in unit if raw["role"] == "assistant")
            )
            for unit in units
        ]
        for at in range(1, len(pages) - 1):
            calls = [call.arguments for made in pages[at].messages for call in made.calls]
            if pages[at].tokens < 200 or 10 * sum(count(calls)) >= pages[at].tokens:
                continue
            resident = pages[max(0, at - 8) : at]
            have = "\n".join([said(made for before in resident for made in before.messages), *calls])
            text = said(pages[at].messages)
            later = frozenset().union(*uses[at + 1 :])
            needed = [a for a in later if replay_score.find(text, a) >= 0 and replay_score.find(have, a) < 0]
            yield pages[at], resident, needed


async def offer(part, made, resident, share):
    """The page's messages in the form for this share of its tokens, and what that is said to cover."""
    targets = [max(1, int(share * made.tokens))]
    request = CompressRequest(pages=[made], resident=resident, targets=targets, count=count, session="bench")
    found = await part.compress(request)
    return (shorten(made, found[0].texts), found[0].covers) if found else (made.messages, 1.0)


async def agents(kind, name, part):
    jobs = list(entering(kind))
    for share in SHARES:
        sums = Counter()
        start = time.process_time()
        for made, resident, needed in jobs:
            messages, covers = await offer(part, made, resident, share)
            shown, whole = said(messages), said(made.messages)
            sums["tokens"] += made.tokens + sum(count([shown])) - sum(count([whole]))
            sums["all"] += made.tokens
            sums["needed"] += len(needed)
            sums["kept"] += (kept := sum(replay_score.find(shown, atom) >= 0 for atom in needed))
            sums["context"] += sum(replay_score.snippet(whole, atom) in shown for atom in needed)
            if needed:
                sums["pages"] += 1
                sums["covers"] += covers
                sums["covered"] += kept / len(needed)
        print(
            f"{kind:7} {name:22} {share:.2f}  tokens {sums['tokens'] / sums['all']:.3f}"
            f"  kept {sums['kept'] / sums['needed']:.3f}  context {sums['context'] / sums['needed']:.3f}"
            f"  covers {sums['covers'] / sums['pages']:.2f} (was {sums['covered'] / sums['pages']:.2f})"
            f"  {len(jobs)} pages, {sums['needed']} atoms, {time.process_time() - start:.1f} s",
            flush=True,
        )


async def locomo(name, part):
    data = SHARED / "data"
    conversations, needed = prose_score.load(data)
    for share in SHARES:
        windows, tokens, whole = {}, 0, 0
        for talk in prose_score.lines(data / "locomo/conversations.jsonl"):
            sessions = defaultdict(list)
            for turn in talk["turns"]:
                caption = f" [image: {turn['caption']}]" if turn.get("caption") else ""
                sessions[turn["session"]].append(f"{turn['speaker']}: {turn['text'] or ''}{caption}")
            windows[talk["conv_id"]] = window = []
            for i, lines in enumerate(sessions.values(), 1):
                made = page(i, [{"role": "user", "content": "\n".join(lines)}])
                [shown], _ = await offer(part, made, (), share)
                window.append({"role": "user", "content": shown.text})
                whole += made.tokens
                tokens += replay_score.mtok(window[-1])
        row = prose_score.row("", 1.0, conversations, needed, windows).split()
        figures = dict(pairwise(row))
        print(
            f"locomo  {name:22} {share:.2f}  tokens {tokens / whole:.3f}"
            f"  words {figures['words']}  trigram {figures['trigram']}",
            flush=True,
        )


async def main():
    with tempfile.TemporaryDirectory() as folder:
        for name, (opener, settings) in OPENERS.items():
            async with opener(settings, LoneHost(Path(folder))) as part:
                for kind in ("claude", "tau"):
                    await agents(kind, name, part)
                await locomo(name, part)


if __name__ == "__main__":
    asyncio.run(main())
