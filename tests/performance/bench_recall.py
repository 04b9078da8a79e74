"""How well memories are found: recall@k, MRR, time for a query, and near-duplicates among the first five.

``python tests/performance/bench_recall.py --memories M.jsonl --queries Q.jsonl [--out ranked.jsonl] [--json]`` ranks by
FTS5 alone (stemmed, BM25) and by the learned ranker. Memories: ``id, namespace, text, author, created, thread, order``;
queries: ``id, namespace, text, relevant``, and ``before``, the last memory that is there yet, where the store grows. Other
fields are ignored. ``created`` is ISO 8601 or Unix seconds. The learned ranker's table was fitted on the development
conversations; what it does on others is what ``fit_ranker.py`` prints.

``python tests/performance/bench_recall.py sessions --data DIR --out OUT`` makes these files of recorded coding sessions:
one memory a page (a message, or a message with its tool results), one namespace a project. A query is asked wherever
the model went on to use an identifier or a path in a tool call that stands outside the newest 4,000 tokens and is held
by at most a tenth of the pages there: the text is what it said just before, the relevant pages those that hold it last.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import sqlite3
import statistics
import time
from collections import Counter, defaultdict
from pathlib import Path

from lamina.kit.identifiers import identifiers
from lamina.model import Text
from lamina.protocols import ParseRequest
from lamina_format_claude_code._format import ClaudeCodeFormat
from lamina_ranker_learned.recipe import Corpus, Entry, alike, fold

WINDOW_TOKENS, SHARE, LEAST_PAGES = 4_000, 0.1, 10


def read_jsonl(path):
    """The objects of a file, one a line."""
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]


def created_s(value):
    """Unix seconds; 0 for nothing."""
    if not value:
        return 0.0
    if isinstance(value, (int, float)):
        return float(value)
    when = datetime.datetime.fromisoformat(value)
    return (when if when.tzinfo else when.replace(tzinfo=datetime.UTC)).timestamp()


def entries(memories):
    """Memories as documents; positions count within their threads."""
    places = Counter()
    for m in sorted(memories, key=lambda m: m.get("order", 0)) if not _in_order(memories) else memories:
        thread = str(m.get("thread") or "")
        yield Entry(m["id"], m["text"], m.get("author") or "", created_s(m.get("created")), thread, places[thread])
        places[thread] += 1


def _in_order(memories):
    last = {}
    for m in memories:
        if m.get("order", 0) < last.get(m.get("thread"), 0):
            return False
        last[m.get("thread")] = m.get("order", 0)
    return True


def stores(memories, queries):
    """Each query with the memories that are there when it is asked; queries of one store follow each other."""
    spaces = defaultdict(list)
    for m in memories:
        spaces[m["namespace"]].append(m)
    for query in queries:
        held = spaces[query["namespace"]]
        if "before" in query:
            held = held[: next(k for k, m in enumerate(held, 1) if m["id"] == query["before"])]
        yield query, held


def corpora(memories, queries):
    """Each query with a corpus of what is there, and the time at which it is asked."""
    key = corpus = now = None
    for query, held in stores(memories, queries):
        if key != (query["namespace"], len(held)):
            key, corpus = (query["namespace"], len(held)), Corpus()
            corpus.add(entries(held))
            now = max((created_s(m.get("created")) for m in held), default=0.0)
        yield query, corpus, now


def scores(queries, found, cuts=(5, 10, 20)):
    """Recall at each cut, hits at 1, 5 and 10, and MRR; a place counts for what is folded into it."""
    total = Counter()
    for query in queries:
        relevant = set(query["relevant"])
        places = [{p} if isinstance(p, str) else {p.id, *p.same} for p in found[query["id"]]]
        for k in cuts:
            total[f"recall@{k}"] += len(relevant & set().union(*places[:k])) / len(relevant)
        for k in (1, 5, 10):
            total[f"hit@{k}"] += any(relevant & p for p in places[:k])
        total["mrr"] += next((1 / n for n, p in enumerate(places, 1) if relevant & p), 0.0)
    return {name: value / max(len(queries), 1) for name, value in total.items()}


def by_fts5(memories, queries, limit):
    """SQLite's full text search, any word of the query, stemmed."""
    key = db = None
    for query, held in stores(memories, queries):
        if key != (query["namespace"], len(held)):
            key, db = (query["namespace"], len(held)), sqlite3.connect(":memory:")
            db.execute("CREATE VIRTUAL TABLE t USING fts5 (id UNINDEXED, text, tokenize = 'porter unicode61')")
            db.executemany("INSERT INTO t VALUES (?, ?)", [(m["id"], m["text"]) for m in held])
        start = time.perf_counter()
        asked = " OR ".join(f'"{w}"' for w in dict.fromkeys(re.findall(r"\w+", query["text"])))
        rows = db.execute("SELECT id FROM t WHERE t MATCH ? ORDER BY rank LIMIT ?", (asked, limit)) if asked else []
        yield query["id"], [id for (id,) in rows], time.perf_counter() - start


def by_learned(memories, queries, limit):
    """The learned ranker, near-duplicates folded."""
    texts = {m["id"]: m["text"] for m in memories}
    for query, corpus, now in corpora(memories, queries):
        start = time.perf_counter()
        hits = corpus.rank(query["text"], now, limit + 30)
        places = fold([(hit.id, texts[hit.id]) for hit in hits], limit)
        yield query["id"], places, time.perf_counter() - start


def duplicates(places, texts):
    """How many of the first five places say nearly what one before them says."""
    said = [texts[p if isinstance(p, str) else p.id] for p in places[:5]]
    return sum(any(alike(a, b) for b in said[:n]) for n, a in enumerate(said))


def measure(memories, queries, limit=50):
    """For each configuration its figures and rankings."""
    texts = {m["id"]: m["text"] for m in memories}
    for name, ranker in (("fts5", by_fts5), ("learned", by_learned)):
        found, times = {}, []
        for id, places, seconds in ranker(memories, queries, limit):
            found[id] = places
            times.append(1e3 * seconds)
        cuts = statistics.quantiles(times, n=100)
        twice = [duplicates(places, texts) for places in found.values()]
        figures = scores(queries, found) | {"p50_ms": cuts[49], "p95_ms": cuts[94], "p99_ms": cuts[98]}
        yield name, figures | {"duplicates": statistics.mean(twice), "most_duplicates": max(twice)}, found


def pages_of(messages):
    """A session's pages: text, what was said, calls, time, an estimate of tokens."""
    pages = []
    for m in messages:
        said = "\n".join(p.text for p in m.parts if isinstance(p, Text))
        calls = list(m.calls)
        text = "\n".join(
            [*([said] if said else []), *(f"{c.name} {c.arguments}" for c in calls), *(r.text for r in m.results)]
        )
        last = pages[-1] if pages else None
        joins = (
            last
            and last["role"] == "assistant"
            and (m.results or (m.role == "assistant" and m.group and m.group == last["group"]))
        )
        if m.role == "system":
            continue
        if joins:
            last["text"] += "\n" + text
            last["calls"] += calls
            last["said"] += "" if m.results else "\n" + said
        else:
            pages.append(
                {"role": m.role, "text": text, "said": said, "calls": calls, "group": m.group, "created": m.created_s}
            )
    for page in pages:
        page["tokens"] = len(page["text"]) // 4 + 4
        page["names"] = identifiers(page["text"])
    return pages


def said_before(pages, at):
    """What the model said just before it made the calls of a page: there, and in the page before with its short arguments."""
    parts = []
    if at:
        last = pages[at - 1]
        parts.append(last["said"].strip()[-300:] if last["role"] == "assistant" else last["said"].strip()[:300])
        for call in last["calls"]:
            try:
                values = json.loads(call.arguments).values()
            except ValueError:
                continue
            parts += [v for v in values if isinstance(v, str) and len(v) <= 200]
    return "\n".join([*parts, pages[at]["said"].strip()[-600:]]).strip()


def questions(pages, names, earlier):
    """What later steps need from outside the window."""
    for at, page in enumerate(pages):
        if page["role"] != "assistant" or not page["calls"]:
            continue
        start, tokens = at, 0
        while start > 0 and tokens + pages[start - 1]["tokens"] <= WINDOW_TOKENS:
            start -= 1
            tokens += pages[start]["tokens"]
        held = [*earlier, *((names[k], pages[k]["names"]) for k in range(start))]
        text = said_before(pages, at)
        if not text or len(held) < LEAST_PAGES:
            continue
        shown = frozenset().union(*(p["names"] for p in pages[start:at]))
        relevant = set()
        for name in identifiers("\n".join(c.arguments for c in page["calls"])) - shown:
            having = [id for id, there in held if name in there]
            if having and len(having) <= max(3, SHARE * len(held)):
                relevant.add(having[-1])
        if relevant:
            yield {"id": names[at].replace("#", "?"), "text": text, "relevant": sorted(relevant), "before": held[-1][0]}


def sessions(data):
    """Memories and queries of the recorded sessions, project by project, in the order of time."""
    projects = defaultdict(list)
    for file in sorted((data / "claude_code").rglob("*.jsonl")):
        parsed = ClaudeCodeFormat().parse(ParseRequest(data=file.read_bytes()))
        pages = pages_of([m for p in parsed for m in p.messages])
        if len(pages) >= 4:
            projects[file.parent.name].append((pages[0]["created"] or 0.0, file.stem[:8], pages))
    memories, asked = [], []
    for project, held in projects.items():
        earlier = []
        for _, session, pages in sorted(held, key=lambda s: s[:2]):
            names = [f"{project}/{session}#{k}" for k in range(len(pages))]
            asked += [q | {"namespace": project} for q in questions(pages, names, earlier)]
            memories += [
                {"id": id, "namespace": project, "text": p["text"], "author": p["role"], "created": p["created"], "thread": session, "order": k}
                for k, (id, p) in enumerate(zip(names, pages, strict=True))
            ]  # fmt: skip
            earlier += zip(names, [p["names"] for p in pages], strict=True)
    return memories, asked


def main():
    """See the module."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("verb", nargs="?", choices=["rank", "sessions"], default="rank")
    for name in ("memories", "queries", "out", "data"):
        ap.add_argument(f"--{name}", type=Path)
    ap.add_argument("--json", action="store_true")
    args = ap.parse_args()
    if args.verb == "sessions":
        args.out.mkdir(parents=True, exist_ok=True)
        for name, rows in zip(("memories", "queries"), sessions(args.data), strict=True):
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (args.out / f"{name}.jsonl").write_text(text, encoding="utf-8")
            print(f"{len(rows)} {name}")
        return
    queries = read_jsonl(args.queries)
    for name, figures, found in measure(read_jsonl(args.memories), queries):
        print(json.dumps({"configuration": name, **figures}) if args.json else f"{name:8} " + " ".join(f"{k} {v:.3f}" for k, v in figures.items()))  # fmt: skip
        if args.out and name == "learned":
            lines = ({"id": q["id"], "ranked": [p.id for p in found[q["id"]]]} for q in queries)
            args.out.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
