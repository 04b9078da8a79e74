"""Finding tools by need, on questions that people asked of functions: better than plain BM25 over the same text."""

from __future__ import annotations

import json
import math
import re
from collections import Counter

import pytest

from lamina.protocols import ToolSpec
from lamina.tools._search import Search


@pytest.fixture(scope="module")
def cases(data):
    """The cases of the function-selection set: (question, names of the right functions), and all functions."""
    rows = [json.loads(line) for line in (data / "bfcl/tool_selection.jsonl").read_text("utf-8").splitlines()]
    functions = {}
    for row in rows:
        for function in row["functions"]:
            functions.setdefault(function["name"], function)
    asked = [
        (
            "\n".join(m["content"] for turn in row["question"] for m in turn if m["role"] == "user"),
            set(row["gold_functions"]),
        )
        for row in rows
    ]
    return asked, [ToolSpec(f["name"], f["description"], f["parameters"]) for f in functions.values()]


def texts(schema):
    for name, inner in schema.get("properties", {}).items():
        yield name
        yield inner.get("description", "")
        yield from map(str, inner.get("enum", []))
        yield from texts(inner)
    if isinstance(schema.get("items"), dict):
        yield from texts(schema["items"])


class Plain:
    """BM25 as it is in books, over all text of a tool in one."""

    def __init__(self, specs, k1=1.5, b=0.75):
        self.names, self.k1, self.b = [s.name for s in specs], k1, b
        joined = [" ".join([s.name, s.description, *texts(s.parameters)]) for s in specs]
        self.docs = [Counter(re.findall(r"\w+", text.lower())) for text in joined]
        self.mean = sum(d.total() for d in self.docs) / len(self.docs)
        seen = Counter(word for d in self.docs for word in d)
        self.idf = {w: math.log(1 + (len(specs) - n + 0.5) / (n + 0.5)) for w, n in seen.items()}

    def find(self, query):
        words = re.findall(r"\w+", query.lower())

        def score(d):
            norm = self.k1 * (1 - self.b + self.b * d.total() / self.mean)
            return sum(self.idf[w] * d[w] * (self.k1 + 1) / (d[w] + norm) for w in words if w in d)

        return [n for _, n in sorted(zip(map(score, self.docs), self.names, strict=True), key=lambda x: -x[0])][:5]


def hits(find, asked):
    """hit@1 and hit@5: how often a right function is the first, or among the first five."""
    found = [(find(question), right) for question, right in asked]
    return tuple(sum(bool(right & set(names[:k])) for names, right in found) / len(found) for k in (1, 5))


def test_needs_are_met_more_often_than_by_plain_bm25(cases):
    asked, specs = cases
    assert (len(asked), len(specs)) == (270, 452)
    search = Search(specs)
    plain = hits(Plain(specs).find, asked)
    ours = hits(lambda question: [found.spec.name for found in search.find(question, 5)], asked)
    print(f"plain BM25 {plain[0]:.3f} {plain[1]:.3f}, ours {ours[0]:.3f} {ours[1]:.3f}")
    assert ours[0] > plain[0] + 0.05
    assert ours[1] > plain[1] + 0.04
    assert ours[1] > 0.94
