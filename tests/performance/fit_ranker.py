"""Fit the learned ranker's table, and say how it does on conversations that it was not fitted on.

Run: ``python tests/performance/fit_ranker.py --memories M.jsonl --queries Q.jsonl [--pages-memories M2.jsonl
--pages-queries Q2.jsonl] [--alike A.json] [--ablate] [--write]``. The files are those of ``bench_recall.py``: memories
with ``id, namespace, text, author, created, thread, order``, queries with ``id, namespace, text, relevant`` (and
``before``, for stores that grow). ``--alike`` gives cosines of a model: ``{query id: {memory id: cosine}}``.

One linear table over named features. Each relevant document of a query is set against all that are not relevant
(softmax), each query counts once, ridge on standardised weights. Tables are judged by leaving one conversation
(namespace) out, those of pages by leaving one session out.

What was tried on the development part of LoCoMo (5 conversations, 772 questions), recall@10 left out by conversation,
no model: BM25 of stems 0.620; of a turn with its neighbours 0.731; 39 features 0.822; with the list of related words
0.830; 20 of these features 0.829; a loss where only the best relevant document counts, 0.830; one where relevant
documents compete, 0.823; gradient boosted trees on LambdaRank 0.800; pseudo-relevance feedback, latent semantic analysis
of the store and trigrams of characters, each +0.000 to +0.003; twice as long a list of related words, -0.001; a list of
100,000 pairs of related words drawn from MiniLM, +0.008 (a megabyte; left out); the shape of the window, BM25's
constants, the weight of related words, 500 candidates instead of 300: within 0.003. With MiniLM's cosine as four features
0.841. Of pages, a table of all features 0.70 hit@10, of these four 0.726; one table for turns and pages lost 0.004 to 0.01 on
turns and hit@1 on pages (0.12 instead of 0.26).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from bench_recall import corpora, read_jsonl, scores

HERE = Path(__file__).resolve().parents[2]
TABLE = HERE / "plugins/lamina-ranker-learned/src/lamina_ranker_learned/table.json"
TURNS = (
    "passage place covered before answers thread_best thread_words related related_near author asks length "
    "first_person opens when who much day month told"
).split()
MEANING = ["meaning", "meaning_near", "meaning_answers", "meaning_of_thread"]
PAGES = "own covered_alone recent newest".split()
GROUPS = {
    "words of neighbours": "passage place covered before answers",
    "the turn before": "before answers",
    "the thread": "thread_best thread_words",
    "related words": "related related_near",
    "author": "author",
    "times, names, numbers": "when who much",
    "times that are asked for": "day month told",
    "how it speaks": "asks first_person length opens",
}
"""Features that say one thing, for ablation."""

RIDGE = 15.0


def featurised(memories, queries, alike=None):
    """For each query: it, its candidates' ids, and their features by name."""
    rows = []
    for query, corpus, now in corpora(memories, queries):
        ids, values = corpus.featurise(query["text"], now, None if alike is None else alike[query["id"]])
        rows.append((query, ids, values))
    return rows


def fit(rows, names, ridge=RIDGE):
    """Weights by name."""
    xs, ys = [], []
    for query, ids, values in rows:
        y = np.isin(ids, query["relevant"])
        if y.any():
            xs.append(np.stack([values[n] for n in names], 1))
            ys.append(y)
    x, y = np.concatenate(xs).astype(float), np.concatenate(ys)
    scale = x.std(0) + 1e-9
    x = (x - x.mean(0)) / scale
    sizes = np.array([len(v) for v in ys])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    of = np.repeat(np.arange(len(sizes)), sizes)
    weights = _descend(lambda w: _loss(w, x, y, starts, of, ridge), len(names)) / scale
    return dict(zip(names, weights.tolist(), strict=True))


def _loss(w, x, y, starts, of, ridge):
    z = x @ w
    z -= np.maximum.reduceat(z, starts)[of]
    e = np.exp(z)
    others = np.add.reduceat(e * ~y, starts)
    hit = np.flatnonzero(y)
    share = 1.0 / np.add.reduceat(y.astype(float), starts)[of[hit]]
    total = others[of[hit]] + e[hit]
    slope = np.zeros(len(z))
    slope[hit] = -share * (1 - e[hit] / total)
    pull = np.zeros(len(starts))
    np.add.at(pull, of[hit], share / total)
    slope += e * ~y * pull[of]
    return (share * (np.log(total) - z[hit])).sum() + ridge * (w @ w) / 2, x.T @ slope + ridge * w


def _descend(loss, n, steps=250):
    """Barzilai and Borwein's steps, back to the best point seen where one leads astray; the loss is convex, nearly."""
    w = best = np.zeros(n)
    value, slope = loss(w)
    least, step = value, 1e-4
    for _ in range(steps):
        new = w - step * slope
        value, turned = loss(new)
        if not np.isfinite(value) or value > least + 5:
            w, step = best, step / 4
            slope = loss(w)[1]
            continue
        moved, bent = new - w, turned - slope
        step = (moved @ moved) / max(moved @ bent, 1e-12)
        w, slope = new, turned
        if value < least:
            least, best = value, w
        if np.abs(slope).max() < 1e-2:
            break
    return best


def ranked(row, weights):
    """The ids, best first."""
    _, ids, values = row
    if not ids:
        return []
    total = sum(weight * values[name] for name, weight in weights.items())
    return [ids[k] for k in np.lexsort((np.array(ids), -total))]


def left_out(rows, names, group):
    """Each query ranked by a table that was fitted on the other groups."""
    groups = defaultdict(list)
    for row in rows:
        groups[group(row[0])].append(row)
    found = {}
    for key, held in groups.items():
        weights = fit([row for other, some in groups.items() if other != key for row in some], names)
        found |= {row[0]["id"]: ranked(row, weights) for row in held}
    return found


def report(title, queries, found):
    """One line for all queries and one for each namespace."""
    spaces = sorted({q["namespace"] for q in queries})
    for name in ["all", *spaces]:
        some = [q for q in queries if name in ("all", q["namespace"])]
        print(
            f"{title:24} {name:12} n {len(some):4} " + " ".join(f"{k} {v:.4f}" for k, v in scores(some, found).items())
        )


def main():
    """See the module."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("memories", "queries", "pages-memories", "pages-queries", "alike"):
        ap.add_argument(f"--{name}", type=Path)
    ap.add_argument("--ablate", action="store_true", help="leave out one group of features after the other")
    ap.add_argument("--write", action="store_true", help=f"write {TABLE.name}")
    args = ap.parse_args()
    made = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    if args.memories:
        memories, queries = read_jsonl(args.memories), read_jsonl(args.queries)
        rows = featurised(memories, queries)
        report("turns", queries, left_out(rows, TURNS, lambda q: q["namespace"]))
        made["turns"] = fit(rows, TURNS)
        if args.alike:
            # A model brings in candidates of its own.
            with_model = featurised(memories, queries, json.loads(args.alike.read_text()))
            names = TURNS + MEANING
            report("turns_by_meaning", queries, left_out(with_model, names, lambda q: q["namespace"]))
            made["turns_by_meaning"] = fit(with_model, names)
        for name, gone in GROUPS.items() if args.ablate else ():
            found = left_out(rows, [n for n in TURNS if n not in gone.split()], lambda q: q["namespace"])
            print(f"without {name:32} " + " ".join(f"{k} {v:.4f}" for k, v in scores(queries, found).items()))
    if args.pages_memories:
        queries = read_jsonl(args.pages_queries)
        rows = featurised(read_jsonl(args.pages_memories), queries)
        report("pages", queries, left_out(rows, PAGES, lambda q: q["id"].partition("?")[0]))
        made["pages"] = fit(rows, PAGES)
    if args.write:
        shown = {title: {n: float(f"{w:.4g}") for n, w in sorted(of.items())} for title, of in sorted(made.items())}
        TABLE.write_text(json.dumps(shown, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
