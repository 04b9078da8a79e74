"""The main job with parts of another author's, run where their distribution is installed.

``python _outsider.py CONFIG HOME SAMPLE BUDGET`` prints what it saw, as JSON.
"""

import asyncio
import json
import sys
from importlib import metadata
from pathlib import Path

import lamina
from lamina import plugins
from lamina.config import load
from lamina.protocols import ParseRequest


async def main(config, home, source, budget):
    catalogue = plugins.discover()
    tuned = load(Path(config).with_name("lamina-tuned.toml"), environ={}, catalogue=catalogue)
    seen = {
        "tuned": [tuned.instance("compressor", "brief").settings.min_lines, tuned.instance("storage", "journal").use],
        "lamina": lamina.__file__,
        "points": [p.value for p in metadata.entry_points(group="lamina") if p.dist.name == "lamina-acme"],
        "broken": [str(broken) for broken in catalogue.broken],
        "storage": catalogue.find("storage", "acme-json").distribution,
        "compressor": catalogue.find("compressor", "acme-firstlines").distribution,
        "heavy": [name for name in sys.modules if name.startswith("lamina_acme.")],
    }
    async with lamina.open(
        config, settings={"home": home, "pagers": {"coverage": {"entry_share": 0.03}}}, environ={}
    ) as ctx:
        (imported,) = await ctx.import_data(source, "sample.jsonl")
        session = await ctx.session(imported.session)
        window = await session.window(budget)
        seen |= {
            "id": session.id,
            "pages": len(session.pages),
            "tokens": window.tokens,
            "rules": (await ctx.format("anthropic")).check(window.messages("anthropic")),
            "repairs": window.ledger.repairs,
            "compressors": sorted({row.compressor for row in window.ledger.rows if row.compressor}),
        }
    # Opened anew, so that all comes from the journal.
    async with lamina.open(
        config, settings={"home": home, "pagers": {"coverage": {"entry_share": 0.03}}}, environ={}
    ) as ctx:
        session = await ctx.session(seen["id"], create=False)
        raw = await session.raw(session.pages[0].id, session.pages[-1].id)
        lines = source.splitlines()
        kept = {p.raw for p in ctx.formats["claude-code"].parse(ParseRequest(data=source)) if p.messages}
        seen |= {
            "raw": len(raw),
            "raw equal": set(raw) == kept and all(record in lines for record in raw),
            "export equal": (await session.export()).splitlines() == lines,
            "expanded": (await session.expand(1))[0].text[:20],
        }
    return seen


if __name__ == "__main__":
    config, home, sample, budget = sys.argv[1:]
    print(json.dumps(asyncio.run(main(config, home, Path(sample).read_bytes(), int(budget)))))
