"""A session in each of four languages: what its later steps need stays, what was said to be kind goes."""

import asyncio

import pytest

from lamina.kit.identifiers import identifiers
from lamina.model import assistant, user
from lamina.protocols import CompressRequest
from lamina.testing.pages import count_words, page, tool_page
from lamina_compressor_semantic import SemanticSettings
from lamina_compressor_semantic._compressor import SemanticCompressor

CHINESE = (
    "夜间导入为什么停了？",
    """你好！谢谢你的耐心等待，真是太好了。我先看一下日志，大家都很辛苦。
你昨天问的文件在哪里？文件在 数据/导入/订单_2024-03-08.csv，一共有48213行。
今天天气不错，我们慢慢来，一点一点地看，没有关系的。这个工作看起来很有意思，大家一起努力就可以了。
错误：连接 db-主库:5432 超时
原因是上周把连接池从20改成了5。我们决定把 pool_size 改回20，并且不要动端口8765。
太好了，辛苦大家了，真棒！以后我们还会继续看，希望一切都会越来越好，谢谢大家一直以来的支持和帮助。
负责人是王晓梅，她会在5月3日之前确认。好的，没问题，你好好休息吧，我们明天再聊，祝你有愉快的一天。""",
    ["数据/导入/订单_2024-03-08.csv", "错误：连接 db-主库:5432 超时", "不要动端口8765", "王晓梅", "5月3日"],
    ["真棒", "没有关系的", "愉快的一天"],
)
JAPANESE = (
    "夜間の取り込みはなぜ止まったのですか？",
    """こんにちは。お待たせして申し訳ありません、いつもありがとうございます。
昨日のファイルはどこにありますか？ファイルは data/取込/注文_2024-03-08.csv にあり、48213行です。
今日は天気も良いので、ゆっくり少しずつ見ていきましょう。とても面白いお仕事だと思いますので、皆さんで頑張りましょう。
エラー：db-主系:5432 への接続がタイムアウトしました
原因は先週、接続プールを20から5に変えたことです。pool_size を20に戻すことに決定し、ポート8765は変更しないことにしました。
すごいですね、お疲れさまでした。これからも少しずつ見ていきますので、どうぞよろしくお願いいたします。ありがとうございました。
担当は渡辺美咲さんで、5月3日までに確認します。了解です、ゆっくりお休みください。良い一日をお過ごしください。""",
    ["data/取込/注文_2024-03-08.csv", "エラー：db-主系:5432 への接続", "ポート8765は変更しない", "渡辺美咲", "5月3日"],
    ["すごいですね", "お仕事だと思い", "良い一日"],
)
GERMAN = (
    "Warum ist der nächtliche Import stehen geblieben?",
    """Hallo, danke für deine Geduld, das ist wirklich toll! Ich sehe mir gerne gleich die Protokolle an.
Wo liegt die Datei von gestern? Sie liegt unter daten/import/auftraege_2024-03-08.csv und hat 48213 Zeilen.
Das Wetter ist ja heute auch schön, da sehen wir uns das alles ganz in Ruhe an, Schritt für Schritt, wie es sich gehört.
Fehler: Verbindung zu db-haupt:5432 abgebrochen (Zeitüberschreitung)
Ursache ist, dass der Verbindungspool letzte Woche von 20 auf 5 gesenkt wurde. Wir haben entschieden, pool_size wieder \
auf 20 zu setzen und Port 8765 nicht anzufassen.
Super, klasse gemacht, das freut mich sehr! Wir schauen dann einfach weiter, es wird bestimmt alles immer noch besser werden.
Zuständig ist Anneliese Grünwald; sie bestätigt das bis zum 3. Mai. Gerne, bitte, erhol dich gut und bis bald, mach es gut!""",
    [
        "daten/import/auftraege_2024-03-08.csv",
        "Fehler: Verbindung zu db-haupt:5432 abgebrochen",
        "Port 8765 nicht anzufassen",
        "Anneliese Grünwald",
        "3. Mai",
    ],
    ["Super, klasse", "Das Wetter", "mach es gut"],
)
RUSSIAN = (
    "Почему остановился ночной импорт?",
    """Привет, спасибо за терпение, это правда здорово! Конечно, я сейчас посмотрю, что там написано в журнале.
Где лежит вчерашний файл? Он лежит в данные/импорт/заказы_2024-03-08.csv, в нём 48213 строк.
Погода сегодня тоже хорошая, так что посмотрим всё это спокойно, шаг за шагом, как оно и полагается в таких делах.
Ошибка: соединение с db-главная:5432 прервано по времени
Причина в том, что на прошлой неделе пул соединений уменьшили с 20 до 5. Решили вернуть pool_size 20 и не менять порт 8765.
Отлично, классно получилось, я очень рад! Будем смотреть дальше, и всё обязательно будет становиться только лучше и лучше.
Отвечает Марфа Белозёрова, она подтвердит это до 3 мая. Пожалуйста, отдыхайте, и всего вам самого доброго, до встречи!""",
    [
        "данные/импорт/заказы_2024-03-08.csv",
        "Ошибка: соединение с db-главная:5432 прервано",
        "не менять порт 8765",
        "Марфа Белозёрова",
        "3 мая",
    ],
    ["классно получилось", "Погода", "до встречи"],
)
SESSIONS = pytest.mark.parametrize(
    "session", [CHINESE, JAPANESE, GERMAN, RUSSIAN], ids=["chinese", "japanese", "german", "russian"]
)


def shortened(session, share, **chosen):
    question, text, *_ = session
    asked, answer = page(1, user(question)), page(2, assistant(text))
    request = CompressRequest(
        pages=[answer], resident=[asked], targets=[int(answer.tokens * share)], count=count_words, session="s"
    )
    [offer] = asyncio.run(SemanticCompressor(SemanticSettings(**chosen)).compress(request))
    return offer.texts[0, 0]


@SESSIONS
def test_paths_errors_decisions_names_and_dates_stay_and_courtesies_go(session):
    _, _, needed, kind = session
    shown = shortened(session, 0.6)
    assert [fact for fact in needed if fact not in shown] == []
    assert [phrase for phrase in kind if phrase in shown] == []


@SESSIONS
def test_at_half_the_error_and_most_of_the_facts_stand(session):
    _, text, needed, _ = session
    shown = shortened(session, 0.5)
    assert needed[1] in shown
    assert sum(fact in shown for fact in needed) >= 3
    assert identifiers(shown.split("\n", 1)[1].replace("…", " ")) <= identifiers(text)


@SESSIONS
def test_no_question_stands_without_its_answer(session):
    _, text, needed, _ = session
    question = next(line for line in text.split("\n") if needed[0] in line).split("？")[0].split("?")[0]
    for tenths in range(2, 9):
        shown = shortened(session, tenths / 10)
        assert needed[0] in shown or question not in shown
    assert needed[0] in shortened(session, 0.45)


@SESSIONS
def test_a_page_as_a_tools_result_is_shortened_alike(session):
    _, text, needed, _ = session
    made = tool_page(2, ("Read", "{}", text))
    request = CompressRequest(pages=[made], resident=(), targets=[int(made.tokens * 0.6)], count=count_words)
    [offer] = asyncio.run(SemanticCompressor(SemanticSettings()).compress(request))
    assert [fact for fact in needed if fact not in offer.texts[1, 0]] == []


@SESSIONS
def test_telegram_style_keeps_every_negation(session):
    _, text, _, _ = session
    shown = shortened(session, 0.95, telegraphic=True)
    for negation in ("不要", "しない", " nicht ", " не "):
        assert shown.count(negation) == text.count(negation)
