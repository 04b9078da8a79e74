"""The main job in Chinese, Japanese, German and Russian: names, what was told, near copies, recall."""

from __future__ import annotations

import asyncio

import pytest
from attrs import frozen

import lamina
from lamina.kit.identifiers import identifiers
from lamina.model import Message, Page, ToolCall, ToolResult
from lamina.protocols import CompressRequest


@frozen
class Language:
    """What is said in one language."""

    told: dict[str, str]
    """What a later step would cite, and the sentence that says it."""
    courtesies: tuple[str, ...]
    line: str
    """A line of a report, with a place for a number."""
    verdict: str
    """The line that makes the second report another one."""
    question: str
    answer: str
    """What the page says that the question asks for."""


LANGUAGES = {
    "Chinese": Language(
        told={
            "config/网关.yaml": "我昨天把服务端口改成了8417，配置写在config/网关.yaml里，旧端口不能再用。",
            "INV-2291": "客户陈晓梅要求把发票INV-2291的退款打到原来的银行卡上。",
            "2026-03-14": "数据库迁移定在2026-03-14凌晨，负责人是王建国，备份由他来做。",
            "orders_archive": "历史订单都放在表orders_archive里，查询时一定不要扫描主表。",
        },
        courtesies=("好的，没问题。", "谢谢你，辛苦了！", "明白了，我们继续吧。", "听起来不错，请稍等一下。"),
        line="第{}条记录：仓库已经完成盘点，数量与系统一致，货架标签清晰，没有发现破损的包装。",
        verdict="最后一条记录：其中有七件包裹的条码无法扫描，需要人工重新登记之后才能入库。",
        question="数据库迁移的负责人是谁？",
        answer="王建国",
    ),
    "Japanese": Language(
        told={
            "config/ゲートウェイ.yaml": "昨日サーバーのポートを8417に変更し、設定はconfig/ゲートウェイ.yamlに書きました。",
            "INV-2291": "お客様の田中さんが請求書INV-2291の返金を元のカードに希望しています。",
            "2026-03-14": "データベースの移行は2026-03-14の夜に行い、担当は佐藤健一です。",
            "orders_archive": "過去の注文はテーブルorders_archiveにあり、本表を走査してはいけません。",
        },
        courtesies=("はい、わかりました。", "ありがとうございます。", "では続けましょう。", "少々お待ちください。"),
        line="記録{}番：倉庫の棚卸しは完了し、数量はシステムと一致しており、破損した包装は見つかりませんでした。",
        verdict="最後の記録：七個の荷物はバーコードが読み取れず、手作業で登録し直す必要があります。",
        question="データベース移行の担当は誰ですか？",
        answer="佐藤健一",
    ),
    "German": Language(
        told={
            "config/zugänge.yaml": "Ich habe den Port gestern auf 8417 geändert, das steht jetzt in config/zugänge.yaml.",
            "INV-2291": "Frau Özdemir möchte die Erstattung der Rechnung INV-2291 auf ihre alte Karte.",
            "2026-03-14": "Die Datenbank ziehen wir am 2026-03-14 nachts um, verantwortlich ist Jürgen Weiß.",
            "orders_archive": "Alte Bestellungen liegen in der Tabelle orders_archive, die Haupttabelle darf niemand durchsuchen.",
        },
        courtesies=(
            "Gut, danke dir!",
            "Alles klar, machen wir weiter.",
            "Das klingt gut.",
            "Gern, einen Moment bitte.",
        ),
        line="Eintrag {}: Die Bestandsaufnahme ist fertig, die Mengen stimmen, keine Verpackung ist beschädigt.",
        verdict="Letzter Eintrag: Bei sieben Paketen ließ sich der Strichcode nicht lesen, sie sind von Hand zu erfassen.",
        question="Wer ist für den Umzug der Datenbank verantwortlich?",
        answer="Jürgen Weiß",
    ),
    "Russian": Language(
        told={
            "config/шлюз.yaml": "Вчера я поменял порт сервера на 8417, настройка лежит в config/шлюз.yaml.",
            "INV-2291": "Клиентка Марина Орлова просит вернуть деньги по счёту INV-2291 на прежнюю карту.",
            "2026-03-14": "Базу данных переносим ночью 2026-03-14, ответственный — Пётр Ильич Соколов.",
            "orders_archive": "Старые заказы лежат в таблице orders_archive, основную таблицу сканировать нельзя.",
        },
        courtesies=("Хорошо, спасибо!", "Понятно, продолжаем.", "Звучит неплохо.", "Да, одну минуту, пожалуйста."),
        line="Запись {}: инвентаризация склада закончена, количество совпадает, повреждённых упаковок нет.",
        verdict="Последняя запись: у семи посылок не читается штрихкод, их придётся внести вручную.",
        question="Кто отвечает за перенос базы данных?",
        answer="Соколов",
    ),
}

every_language = pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)


def talk(language: Language) -> list[Message]:
    """A long session: what was told stands at its beginning, far from its end, between courtesies."""
    said = list(language.courtesies)
    early = [x for sentence in language.told.values() for x in (sentence, said[len(sentence) % len(said)])]
    late = [said[n * 7 % len(said)] + " " + said[n * 3 % len(said)] for n in range(160)]
    return [(lamina.user if n % 2 == 0 else lamina.assistant)(text) for n, text in enumerate([*early, *late])]


def packed(messages: list[Message], budget: int) -> str:
    async def run() -> str:
        settings = {"log": {"storage": "memory"}, "memory": {"tiers": []}}
        async with lamina.open(settings=settings, environ={}) as ctx:
            session = await ctx.session("told")
            await session.add(*messages)
            window = await session.window(budget)
            assert window.tokens <= budget
            assert not window.ledger.repairs
            return "\n".join(message.text for message in window.prefix)

    return asyncio.run(run())


@every_language
def test_names_within_running_text_are_found(language):
    for name, sentence in language.told.items():
        assert name in identifiers(sentence)


@every_language
def test_what_was_told_long_ago_outlives_courtesies(language):
    messages = talk(language)
    window = packed(messages, 700)
    kept = [name for name in language.told if name in window]
    assert kept == list(language.told)
    assert sum(window.count(courtesy) for courtesy in language.courtesies) < 60


@every_language
def test_a_near_copy_of_a_report_shows_only_what_is_new(language, tmp_path):
    from lamina.testing import LoneHost
    from lamina_compressor_redundancy import RedundancySettings, open_redundancy

    lines = [language.line.format(n) for n in range(1, 25)]

    def page(id: int, text: str) -> Page:
        call = ToolCall(f"c{id}", "report", f'{{"day": {id}}}')
        result = ToolResult(f"c{id}", text)
        return Page(id, (Message("assistant", (call,)), Message("tool", (result,))), (9, len(text)))

    first, second = page(1, "\n".join(lines)), page(2, "\n".join([*lines, language.verdict]))

    async def offers():
        async with open_redundancy(RedundancySettings(), LoneHost(tmp_path)) as compressor:
            return await compressor.compress(
                CompressRequest([second], [first], [50], count=lambda texts: [len(text) for text in texts])
            )

    texts = [text for offer in asyncio.run(offers()) for text in offer.texts.values()]
    assert any(language.verdict in text and lines[12] not in text for text in texts)


@every_language
def test_what_was_paged_out_is_recalled_by_a_question(language, tmp_path):
    async def run():
        async with lamina.open(settings={"home": str(tmp_path)}, environ={}) as ctx:
            session = await ctx.session("told")
            await session.add(*talk(language))
            await session.window(700)
            await ctx.consolidate()
            return await ctx.recall(language.question, limit=3)

    assert language.answer in asyncio.run(run())[0].memory.text
