"""Every installed format with the samples of every other: none is taken for another, windows cross, nothing vanishes unsaid.

The samples are those of the formats' own conformance tests, so a format that is added is crossed with all the others.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
from functools import cache
from pathlib import Path

import pytest

import lamina
from lamina.errors import BudgetError
from lamina.model import Image, Opaque, Reasoning, Text
from lamina.protocols import ParseRequest, RenderRequest
from lamina.testing import FormatSuite

PLUGINS = Path(__file__).parents[2] / "plugins"
BUDGETS = (150, 400, 20_000)


@cache
def suites():
    """The conformance suite of each format, by the format's name."""
    found = {}
    for path in sorted(PLUGINS.glob("*/tests/test_conformance.py")):
        if "FormatSuite" not in path.read_text(encoding="utf-8"):
            continue
        spec = importlib.util.spec_from_file_location(f"conformance_{path.parents[1].name.replace('-', '_')}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        held = [
            v
            for v in vars(module).values()
            if isinstance(v, type) and issubclass(v, FormatSuite) and v is not FormatSuite
        ]
        found |= {suite.strategy: suite for suite in held}
    return found


FORMATS = sorted(suites())


def with_context(work):
    chosen = {
        "log": {"storage": "memory"},
        "memory": {"tiers": []},
        "window": {"counter": "estimate", "recall_limit": 0},
    }

    async def go():
        async with lamina.open(settings=chosen, environ={}) as ctx:
            return await work(ctx)

    return asyncio.run(go())


def test_every_installed_format_has_samples():
    async def installed(ctx):
        return sorted(ctx.formats)

    assert with_context(installed) == FORMATS


@pytest.mark.parametrize("name", FORMATS)
def test_a_sample_is_of_its_own_format_and_of_no_other(name):
    async def work(ctx):
        for number, data in enumerate(suites()[name].samples):
            sure = {other: form.sniff(ParseRequest(data=data)) for other, form in ctx.formats.items()}
            assert ctx.detect(data) == name, (number, sure)
            assert all(share <= sure[name] - 0.2 for other, share in sure.items() if other != name), (number, sure)

    with_context(work)


SAMPLES = [(name, number) for name in FORMATS for number in range(len(suites()[name].samples))]


async def imported(ctx, name, number):
    """The sessions of a format's sample."""
    done = await ctx.import_data(suites()[name].samples[number], "sample", format=name)
    assert done
    return [await ctx.session(one.session) for one in done]


@pytest.mark.parametrize(("name", "number"), SAMPLES)
def test_a_window_is_valid_in_every_format(name, number):
    async def work(ctx):
        for session in await imported(ctx, name, number):
            for budget in BUDGETS:
                try:
                    window = await session.window(budget)
                except BudgetError:
                    continue
                for other, form in ctx.formats.items():
                    written = window.messages(other)
                    assert form.check(written) == [], (budget, other)
                    json.dumps(written, allow_nan=False, ensure_ascii=False).encode()

    with_context(work)


@pytest.mark.parametrize(("name", "number"), SAMPLES)
def test_what_a_format_cannot_carry_is_in_the_ledger(name, number):
    async def work(ctx):
        for session in await imported(ctx, name, number):
            window = await session.window(1_000_000)
            said = [message for page in session.pages for message in page.messages]
            for other, form in ctx.formats.items():
                told, again = window.told(other), read(form, form.render(RenderRequest(messages=said, piece=True)))
                for page in session.pages:
                    gone = missing(page.messages, again)
                    assert not gone or told.page(page.id).notes, (other, page.id, gone)

    with_context(work)


@pytest.mark.parametrize(("name", "number"), SAMPLES)
def test_a_session_that_is_exported_to_another_format_is_read_as_that_and_valid(name, number):
    async def work(ctx):
        for session in await imported(ctx, name, number):
            for other in list(ctx.formats):
                exported = await session.export(other)
                sure = {held: form.sniff(ParseRequest(data=exported)) for held, form in ctx.formats.items()}
                # Plain texts read the same in several forms, and then nobody is sure.
                assert ctx.detect(exported) == other or max(sure.values()) < 0.7, (other, sure)
                (copy,) = await ctx.import_data(exported, format=other, session=f"{session.id} as {other}")
                window = await (await ctx.session(copy.session)).window(1_000_000)
                assert ctx.formats[other].check(window.messages(other)) == [], other

    with_context(work)


def read(form, written):
    source = b"".join(json.dumps(message, ensure_ascii=False).encode() + b"\n" for message in written)
    return [message for parsed in form.parse(ParseRequest(data=source)) for message in parsed.messages]


def missing(messages, again):
    """What of the messages is not there any more: texts, calls, results, pictures, reasoning, blocks, members."""
    before, after = list(parts(messages)), list(parts(again))
    said = "\n".join(message.text for message in again)
    gone = [part.text for part in before if isinstance(part, Text) and part.text.strip() not in said]
    for kind in (Image, Opaque, Reasoning):
        gone += [kind.__name__] * max(0, count(before, kind) - count(after, kind))
    calls = [arguments(call) for message in again for call in message.calls]
    for call in (call for message in messages for call in message.calls):
        gone += [] if arguments(call) in calls or {"_raw": call.arguments} in calls else [call.name]
    results = [(result.text.strip(), result.error) for m in again for result in m.results]
    gone += [r.text for m in messages for r in m.results if r.text.strip() and (r.text.strip(), r.error) not in results]
    kept = names([*after, *again])
    return gone + [name for name in names([*before, *messages]) if name not in kept]


def arguments(call):
    """What a call is made with; text that is no JSON as it is."""
    try:
        return json.loads(call.arguments or "{}")
    except ValueError:
        return call.arguments


def parts(messages):
    """All parts, those inside of results too."""
    for message in messages:
        for part in message.parts:
            yield part
            yield from getattr(part, "blocks", ()) or getattr(part, "images", ())


def count(held, kind):
    return sum(isinstance(part, kind) for part in held)


def names(held):
    """Names of members that the model has no word for."""
    families = (kept for thing in held for kept in getattr(thing, "extra", {}).values())
    return {name for kept in families for name, value in kept.items() if value not in (None, {}, [])}
