import asyncio
from functools import partial

import pytest

import lamina
from lamina.testing import ExtractorSuite, LoneHost
from lamina_extractor_statements import StatementsSettings, open_statements


class TestStatements(ExtractorSuite):
    strategy = "statements"
    telling = (
        lamina.user("Hi! Please never push to main. My favourite editor is Helix."),
        lamina.assistant("We chose port 8417 for the tracker because 8080 is taken by the proxy already."),
    )

    @pytest.fixture
    def open_extractor(self, tmp_path):
        return partial(open_statements, StatementsSettings(), LoneHost(tmp_path))


@pytest.mark.parametrize(
    ("said", "tag", "slot"),
    [
        ("Never push to main.", "rule", ""),
        ("Bitte immer Tabs benutzen, keine Leerzeichen.", "rule", ""),
        ("N'utilise jamais de dépendances externes.", "rule", ""),
        ("不要推送到主分支。", "rule", ""),
        ("必ずテストを書いてください。", "rule", ""),
        ("Никогда не удаляй эту таблицу.", "rule", ""),
        ("My favourite editor is Helix.", "fact", "user.editor"),
        ("I live in New York now, by the way.", "fact", "user.city"),
        ("Ich wohne in Köln.", "fact", "user.city"),
        ("Je travaille chez Renault.", "fact", "user.employer"),
        ("We have 12 servers in Frankfurt.", "fact", ""),
    ],
)
def test_what_people_state_is_drawn_by_its_kind(tmp_path, said, tag, slot):
    drawn = draw(tmp_path, lamina.user("Hello there! " + said + " Thank you very much."))
    assert [(d.text, d.tags, d.slot, d.provenance) for d in drawn] == [(said, (tag,), slot, ("s#1",))]


@pytest.mark.parametrize("said", ["Is that so?", "thanks", "ok, go on", "What must I do?", "x" * 500, "See you."])
def test_what_states_nothing_is_left_alone(tmp_path, said):
    assert draw(tmp_path, lamina.user(said)) == []


def test_a_later_city_takes_the_place_of_an_earlier_one(tmp_path):
    settings = {
        "home": str(tmp_path),
        "memory": {"extractors": ["statements"], "consolidators": ["slots"], "extract_after_s": 0.0},
    }

    async def work():
        async with lamina.open(settings=settings, environ={}) as ctx:
            session = await ctx.session("s")
            for said in ("I live in Hamburg.", "I live in Berlin now."):
                await session.add(lamina.user(said))
                await ctx.consolidate()
            stand = [hit.memory.text async for hit in ctx.memories() if hit.page is None]
            assert stand == ["I live in Berlin now."]

    asyncio.run(work())


def draw(tmp_path, *conversation):
    from lamina.protocols import ExtractRequest, everything
    from lamina.testing.extractor import pages_of

    async def work():
        async with open_statements(StatementsSettings(), LoneHost(tmp_path)) as part:
            pages = pages_of(conversation)
            return list(await part.extract(ExtractRequest(session="s", pages=pages, earlier=[], passages=everything)))

    return asyncio.run(work())
