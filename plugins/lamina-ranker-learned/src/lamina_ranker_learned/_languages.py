"""What of a text's words carries no content, and what its words say of times and amounts: in seven languages.

English, German, French, Spanish and Russian by lists of words; Chinese and Japanese by patterns, because their words
are not separated. All words are folded as :func:`lamina.kit.identifiers.words` folds them, so ``don't`` is ``don`` and
``t``.
"""

from __future__ import annotations

import re


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


STOP = {
    "english": _set(
        """a about after again ain all also am an and any are aren as at be because been before being between both but by
        can could couldn d did didn do does doesn doing don down during each few for from further had hadn has hasn have
        haven having he her here hers him his how i if im in into is isn it its ive just ll m may me might more most
        must my no nor not now of off on once only or other our out over own re s same shall she should shouldn so some
        such t than that the their them then there these they this those through to too under until up upon us ve very
        was wasn we were weren what when where which while who whom whose why will with won would wouldn you your"""
    ),
    "german": _set(
        """aber alle allem allen aller alles als also am an andere anderen auch auf aus bei beim bin bis bist da damit
        dann das dass dein deine dem den der des dich die dies diese diesem diesen dieser dieses dir doch dort du durch
        ein eine einem einen einer eines er es etwas euch euer für gegen hab habe haben hat hatte hatten hier hin hinter
        ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im in ins ist ja jede jedem jeden jeder jedes jener kann kein keine
        keinen können könnte mal man manche mehr mein meine meinem meinen meiner mich mir mit muss nach nicht nichts
        noch nun nur ob oder ohne schon sehr sein seine seinem seinen seiner seit sich sie sind so solche soll sollte
        sondern sonst über um und uns unser unsere unter viel vom von vor war waren warst was weg weil weiter welche
        welchem welchen welcher welches wenn wer werde werden wie wieder will wir wird wirst wo wollen wurde wurden
        würde zu zum zur zwar zwischen wann warum wem wen wohin woher"""
    ),
    "french": _set(
        """à ai aie ait alors au aucun aussi autre aux avait avec avez avoir avons c ce cela ces cet cette ceux chez
        ci comme d dans de des dont du elle elles en encore entre es est et étaient était été être eu eux fait font il
        ils j je l la là le les leur leurs lui m ma mais me même mes moi mon n ne ni nos notre nous on ont ou où par pas
        peu peut plus pour pourquoi qu quand que quel quelle quelles quels qui quoi s sa sans se sera ses si son sont
        sur t ta te tes toi ton tous tout toute très tu un une vos votre vous y combien comment"""
    ),
    "spanish": _set(
        """a al algo algunos ante antes aquí así aunque cada como con contra cual cuáles cuál cuando cuándo cuánto
        cuántos de del desde donde dónde dos durante e el él ella ellas ellos en entre era eran es esa ese eso esta está
        están estaba estas este esto estos estoy fue fueron ha había han has hasta hay he la las le les lo los más me mi
        mis mucho muy nada ni no nos nosotros nuestra nuestro o os otra otro para pero poco por porque qué que quien
        quién se sea ser si sí sin sobre son soy su sus también tan te tiene tengo todo todos tu tú tus un una uno unos
        usted ya y yo"""
    ),
    "russian": _set(
        """а без более бы был была были было быть в вам вас весь во вот все всего всех вы где да даже для до его ее её
        ей ему если есть еще ещё же за здесь и из или им их к как какая какие какой какую ко когда которая которые
        который кто куда ли либо между меня мне мной может мой моя моё мы на над надо наш не него нее нет ни них но
        ну о об однако он она они оно от очень по под почему при про с сам свой свою себя сейчас со так также такой
        там тебе тебя тем то того тоже той только том ты тут у уже хотя чего чей чем что чтобы чье эта эти это этого
        этой этом этот я сколько зачем"""
    ),
}
"""Words without content, by the language whose stemmer they choose; its question words among them."""

COMMON = frozenset().union(*STOP.values())

ASKING = _set("going kind like likely long many much often some something sort time type")
"""Beside the stop words, what an English question says of its own form rather than of its subject."""

WHEN = _set("when date year month day wann quand cuándo когда дата datum fecha")
WHERE_WHO = _set(
    "where which who whom whose wo wer wen wem welche welcher welches où qui quel quelle dónde quién где кто"
)
HOW_MUCH = _set("many much long often old far combien cuánto cuántos сколько viel viele oft lange")
OPENING = _set(
    "what when where which who whom whose why how did does is are was were do has have had can could would will "
    "was wann wo wer wie wen wem warum welche welcher welches qui que quand où pourquoi comment quel quelle qué cuándo "
    "dónde quién cómo cuál что когда где кто как почему какой какая какие сколько"
)
"""Words that a question starts with."""

FIRST_PERSON = _set(
    "i me my mine we us our im ive ich mich mir mein meine wir uns unser j je moi mon ma mes nous notre yo mi mis me "
    "nosotros я меня мне мой моя мы нас наш"
)

TIMES = _set(
    """yesterday today tonight tomorrow last next ago since week weeks weekend weekends month months year years day days
    monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thurs fri sat sun january february
    march april june july august september october november december jan feb mar apr jun jul aug sep sept oct nov dec
    summer winter spring autumn fall morning evening night recently soon birthday anniversary christmas thanksgiving
    halloween easter
    gestern heute morgen letzte letzten letztes letzter nächste nächsten nächstes woche wochen monat monate monaten jahr
    jahre jahren tag tage tagen montag dienstag mittwoch donnerstag freitag samstag sonntag januar februar märz mai juni
    juli oktober dezember sommer herbst frühling kürzlich bald weihnachten ostern abend nacht wochenende
    hier aujourd demain dernier dernière prochain prochaine semaine semaines mois an ans année années jour jours lundi
    mardi mercredi jeudi vendredi samedi dimanche janvier février mars avril juin juillet août septembre octobre
    novembre décembre été hiver printemps automne matin soir nuit récemment bientôt noël pâques depuis
    ayer hoy mañana pasado pasada próximo próxima semana semanas mes meses año años día días lunes martes miércoles jueves
    viernes sábado domingo enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
    verano invierno primavera otoño noche tarde recientemente pronto navidad hace
    вчера сегодня завтра прошлой прошлом прошлый следующий следующей неделя неделю недели неделе месяц месяца месяцев год
    года году лет день дня дней понедельник вторник среду четверг пятницу субботу воскресенье января февраля марта
    апреля мая июня июля августа сентября октября ноября декабря лето летом зимой осенью весной утром вечером ночью
    недавно скоро назад"""
)
"""Words that place something in time."""

NUMBERS = _set(
    """one two three four five six seven eight nine ten eleven twelve dozen couple several few hundred thousand million
    once twice half first second third daily weekly monthly yearly every
    eins zwei drei vier fünf sechs sieben acht neun zehn hundert tausend einmal zweimal halb täglich wöchentlich jede
    deux trois quatre cinq sept huit neuf dix cent mille fois chaque
    dos tres cuatro cinco seis siete ocho nueve diez cien mil veces vez
    один два две три четыре пять шесть семь восемь девять десять сто тысяча раз раза каждый"""
)
"""Numbers in words, and how often something happens."""

_YEAR = re.compile(r"(?:19|20)\d\d")
_CJK_TIME = re.compile(
    r"[昨今明]天|[去今明]年|上周|上个月|下个月|星期|周末|最近|\d+[年月日]|前天|"
    r"昨日|今日|明日|去年|来年|先週|先月|来週|来月|週末|最近|年前|日前|[0-9０-９一二三四五六七八九十]+[年月日]"
)
_CJK_NUMBER = re.compile(r"[一二三四五六七八九十百千万两]+[个次天年月只本人回個冊匹]|[0-9０-９]+")
_CJK_WHEN = re.compile(r"什么时候|何时|哪年|几月|几号|いつ|何年|何月|何日")
_CJK_WHO = re.compile(r"谁|哪里|哪儿|在哪|哪个|誰|どこ|どの|どちら")
_CJK_MUCH = re.compile(r"多少|几个|几次|多久|多长|いくつ|何回|何人|どのくらい|どれくらい")
_CJK_ASKS = re.compile(r"什么|吗|呢|谁|哪|几|多少|怎么|为什么|何|誰|どこ|いつ|ですか|ますか|なぜ|どう")


def language(words: frozenset[str] | set[str], default: str) -> str:
    """The language most of whose stop words are among these words; a tie is for the default, then by name."""
    if not words.isdisjoint(COMMON):
        return max(STOP, key=lambda name: (len(words & STOP[name]), name == default))
    return "russian" if any("а" <= w[0] <= "я" for w in words if w) else default


def speaks_of_time(words: set[str] | frozenset[str], text: str) -> bool:
    """Whether a text places something in time."""
    if not words.isdisjoint(TIMES) or any(_YEAR.fullmatch(w) for w in words if len(w) == 4):
        return True
    return not text.isascii() and bool(_CJK_TIME.search(text))


def speaks_of_amount(words: set[str] | frozenset[str], text: str) -> bool:
    """Whether a text says a number or how often."""
    if not words.isdisjoint(NUMBERS) or any(w.isdigit() for w in words):
        return True
    return not text.isascii() and bool(_CJK_NUMBER.search(text))


def asks_when(words: set[str] | frozenset[str], text: str) -> bool:
    """Whether a query asks for a time."""
    return not words.isdisjoint(WHEN) or {"how", "long"} <= words or bool(_CJK_WHEN.search(text))


def asks_who_or_where(words: set[str] | frozenset[str], text: str) -> bool:
    """Whether a query asks for a person, a place or one of several."""
    return not words.isdisjoint(WHERE_WHO) or bool(_CJK_WHO.search(text))


def asks_how_much(words: set[str] | frozenset[str], text: str) -> bool:
    """Whether a query asks for an amount, a duration or a frequency."""
    # In English the words that ask for it need a "how" before them.
    said = not words.isdisjoint(HOW_MUCH) and ("how" in words or words.isdisjoint(STOP["english"]))
    return said or bool(_CJK_MUCH.search(text))


def is_asked(words: list[str], text: str) -> bool:
    """Whether a query is a question as a whole: it ends with a mark, or starts with a word that asks."""
    return is_question(text.rstrip()[-2:]) or bool(words and words[0] in OPENING) or bool(_CJK_ASKS.search(text))


def is_question(text: str) -> bool:
    """Whether a text asks: a question mark of any script, or a question word of one without marks."""
    return "?" in text or "？" in text or "¿" in text or (not text.isascii() and bool(_CJK_ASKS.search(text)))
