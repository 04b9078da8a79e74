"""Scorers decide what stands: the knapsack pager through the real kernel, with real scorers."""

from __future__ import annotations

import asyncio
import random

import lamina
from lamina.model import ToolCall, assistant, system, tool_result, user

BASE = """
[window]
pager = "knapsack"
counter = "estimate"
compressors = []
scorer = "{scorer}"

[pagers.knapsack]
high = 0.9
low = 0.6
tail_share = 0.2
# What is promised stands whatever its score; here the scorer alone is to decide.
said_share = 0.0
rules_share = 0.0
plan_share = 0.0
state_share = 0.0
answers_share = 0.0

[log]
storage = "logs"

[storages.logs]
use = "memory"

[memory]
tiers = []
"""

ADAPTING = """
[scorers.weighted]
weights = {{ people = 1.0, results = 1.0, answers = 1.0, recency = 1.0 }}
adapt = {adapt}

[scorers.people]
use = "role"
decision = 1.0
instruction = 1.0
answer = 0.0
prose = 0.0
call = 0.0
result = 0.0

[scorers.results]
use = "role"
decision = 0.0
instruction = 0.0
answer = 0.0
prose = 0.0
call = 1.0
result = 1.0

[scorers.answers]
use = "role"
decision = 0.0
instruction = 0.0
answer = 1.0
prose = 0.0
call = 0.0
result = 0.0
"""
"""Three voices, of which one is right in the first half of a session, one in the second, and one never."""

STEPS, BUDGET = 120, 3000
REACH = range(6, 30)
"""So many steps back lies what is needed."""


def opened(tmp_path, scorer, more=""):
    file = tmp_path / "lamina.toml"
    file.write_text(BASE.format(scorer=scorer) + more, encoding="utf-8")
    return lamina.open(file, settings={"home": str(tmp_path)}, environ={})


def demand(n):
    """What a user lays down at step ``n``, with a name that nothing else holds."""
    return f"From now on rule_{n:03} holds: keep limit_{n:03} at {7000 + n}, and say so, whatever anyone may ask of us."


def found(n):
    """What a tool gives back at step ``n``."""
    return f"record_{n:03}: status open, owner_{n:03} in room {9000 + n}, seen twice this week."


def answer(n):
    """What the assistant says at step ``n``; nobody asks for it again."""
    return f"Very well, that was step {n}; I looked, I noted down what there was to note, and I will go on from here."


async def missed(ctx, name, seed):
    """Needs that do not stand, in each half: first old demands of the user, then old results of tools.

    What is missed is expanded, as a model would: that is the fault that the scorers learn from.
    """
    rng, session, out = random.Random(seed), await ctx.session(name), [0, 0]
    await session.add(system("Keep the rules."))
    pages = []
    for n in range(STEPS):
        call = ToolCall(f"c{n}", "look", f'{{"at": {n}}}')
        said = [user(demand(n)), assistant("", call), tool_result(call.id, found(n)), assistant(answer(n))]
        pages.append(await session.add(*said))
        window = await session.window(BUDGET)
        assert window.ledger.repairs == ()
        text, half = str(window.messages("openai")), 2 * n // STEPS
        for at in sorted({n - rng.choice(REACH) for _ in range(3)}):
            wanted, page = ((f"rule_{at:03}", 0), (f"record_{at:03}", 2))[half]
            if at >= 0 and wanted not in text:
                out[half] += 1
                await session.expand(pages[at][page])
    return out


def totals(tmp_path, adapt):
    """Needs that did not stand, in each half, over two sessions."""

    async def go():
        async with opened(tmp_path, "weighted", ADAPTING.format(adapt=str(adapt).lower())) as ctx:
            return [await missed(ctx, f"s{seed}", seed) for seed in range(2)]

    return [sum(half) for half in zip(*asyncio.run(go()), strict=True)]


def test_weights_that_adapt_keep_more_of_what_is_needed_when_needs_shift(tmp_path):
    on, off = totals(tmp_path, adapt=True), totals(tmp_path, adapt=False)
    assert sum(on) < 0.7 * sum(off)
    assert on[0] < 0.7 * off[0]
    assert on[1] < 0.8 * off[1]


def stands(window, page):
    return any(row.first <= page <= row.last and row.rendition != "paged out" for row in window.ledger.rows)


def read(n, path, text):
    call = ToolCall(f"r{n}", "read_file", f'{{"path": "{path}"}}')
    return assistant("", call), tool_result(call.id, text)


async def lives(ctx, steps, fault_at=None):
    """Windows in which the one reading of a file stands, while another file is read again and again.

    With ``fault_at``, what stands when that window has been asked for, and the page is expanded then.
    """
    session, lived = await ctx.session("reads"), []
    await session.add(user("Please look at both files."))
    page = (await session.add(*read(0, "src/once.py", "the one line of once.py that matters " * 4)))[-1]
    for n in range(1, steps):
        await session.add(*read(n, "src/again.py", f"again.py as it stood at {n}; it changes all the time " * 3))
        window = await session.window(1500)
        assert window.ledger.repairs == ()
        lived.append(stands(window, page))
        if n == fault_at:
            await session.expand(page)
    return lived


def lived(tmp_path, scorer, fault_at=None):
    async def go():
        async with opened(tmp_path, scorer) as ctx:
            return await lives(ctx, 80, fault_at)

    return asyncio.run(go())


def test_a_page_that_nothing_supersedes_outlives_those_that_are_superseded(tmp_path):
    assert sum(lived(tmp_path, "recency")) < 45
    assert all(lived(tmp_path, "supersession"))


def test_a_page_that_faulted_comes_back_and_stays(tmp_path):
    before, after = lived(tmp_path, "faults"), lived(tmp_path, "faults", fault_at=30)
    assert not any(before[30:])
    assert before[:30] == after[:30]
    back = after.index(True, 30)
    assert all(after[back:])
    assert len(after) - back > 15
