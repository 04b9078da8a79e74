"""Whatever strategies are configured together, their windows are sound and grow at their end only."""

from __future__ import annotations

import asyncio
import json

import attrs
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import lamina
from lamina import plugins
from lamina.errors import BudgetError
from lamina.model import Message, Text, ToolCall, ToolResult

CATALOGUE = plugins.discover()


def names(kind):
    """What can be chosen by its name alone."""
    found = [(name, CATALOGUE.find(kind, name).settings) for name in CATALOGUE.names(kind)]
    return [name for name, settings in found if all(a.default is not attrs.NOTHING for a in attrs.fields(settings))]


def rows(n):
    return json.dumps([{"id": f"item-{k}", "price": k * 1.5, "in_stock": k % 3 == 0} for k in range(n)], indent=1)


def code(n):
    return "\n".join(f"{k:5}→def step_{k}(x):\n{k + 1:5}→    return load('data/part_{k % 7}.csv', x)" for k in range(n))


def log(n):
    return "\n".join(f"2026-03-0{1 + k % 9} 10:00:{k % 60:02} INFO worker-{k % 3} retried job" for k in range(n))


def prose(n):
    return " ".join(
        ["Der Umzug ist am 14. März.", "数据库迁移定在三月。", "We agreed on port 8417, not on 8000."][:n] * n
    )


TEXTS = {"rows": rows, "code": code, "log": log, "prose": prose}
pages = st.tuples(
    st.sampled_from(("user", "assistant", "calls", "calls")), st.sampled_from(sorted(TEXTS)), st.integers(1, 60)
)
compressors = st.lists(st.sampled_from(names("compressor")), min_size=1, max_size=4, unique=True)


def messages_of(number, kind, text, size):
    if kind != "calls":
        return [Message(kind, (Text(TEXTS[text](size)),))]
    calls = [
        ToolCall(f"c{number}-{k}", "Read", json.dumps({"path": f"src/{text}_{size % 5}.py"}))
        for k in range(1 + size % 3)
    ]
    results = [Message("tool", (ToolResult(call.id, TEXTS[text](size)),)) for call in calls]
    return [Message("assistant", (Text(f"step {number}"), *calls)), *results]


@settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(
    said=st.lists(pages, min_size=4, max_size=14),
    pager=st.sampled_from(names("pager")),
    scorer=st.sampled_from(names("scorer")),
    compressors=compressors,
    budget=st.integers(300, 4000),
)
@example(
    said=[("user", "prose", 3)] + [("calls", kind, 50) for kind in sorted(TEXTS)] * 3,
    pager="coverage", scorer="liveness", compressors=["redundancy", "structural", "values", "truncate"], budget=1500,
)  # fmt: skip
def test_any_chain_of_strategies_passes_the_gate_and_keeps_the_prefix(said, pager, scorer, compressors, budget):
    window = {"pager": pager, "scorer": scorer, "compressors": compressors, "counter": "estimate", "recall_limit": 0}

    async def go():
        chosen = {"log": {"storage": "memory"}, "memory": {"tiers": []}, "window": window}
        async with lamina.open(settings=chosen, environ={}) as ctx:
            form = await ctx.format("openai")
            session = await ctx.session("s")
            before = ()
            for number, (kind, text, size) in enumerate(said):
                await session.add(*messages_of(number, kind, text, size))
                try:
                    built = await session.window(budget)
                except BudgetError:
                    continue
                assert built.tokens <= budget
                assert built.ledger.repairs == ()
                assert form.check(built.messages("openai")) == []
                if not built.compacted:
                    assert built.prefix[: len(before)] == before
                before = built.prefix

    asyncio.run(go())
