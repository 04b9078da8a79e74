"""Talk as text: words, sentences, and the word lists that sharpen what the session itself says about rarity."""

from __future__ import annotations

import re


def _list(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_WORD = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
_ASCII = {c: None if chr(c) == "'" else " " for c in range(128) if not chr(c).isalnum()}
"""The same for a text of ASCII characters alone, all at once."""
_SPACELESS = re.compile(f"[{_CJK}]")
# One set of characters stands first, which is quick to look for.
_STOP = (
    r"[.!?…。！？｡\n](?:"
    r"(?<=[.!?…])(?<![.!?…].)[.!?…]*+[\"'”’»)\]]*+(?=\s)"  # full stops before white space
    r"|(?<=[。！？｡])[。！？｡]*[」』”’）)]*"  # or ideographic ones, before anything
    r"|(?<=\n)\n*)"
)
_END = re.compile(_STOP)
_END_OR_BRACKET = re.compile(_STOP + r"|(?<=\])[ \t]+|[ \t]+(?=\[)")
"""The same in a text with brackets: a bracketed remark stands for itself, be it a time stamp or a caption."""
QUESTION = ("?", "？", "؟")
_ASIDE_MARKS = (*QUESTION, "[")
_STRETCH = re.compile(r"\[[^\]\n]*+\]?|[^.!?…。！？؟\n\[]++[?？؟]?")
_CLAUSE = re.compile(r"(?<=[,;:])\s+|\s+(?=[–—-]\s)|(?<=[、，；：])")
_CLAUSE_MARK = re.compile("[,;:–—、，；：-]")
_UPPER = "".join(c for c in map(chr, range(0x530)) if c.isupper())
# A capital stands first, which is quick to look for; what is before it is looked at then.
_NAME = re.compile(rf"[{_UPPER}](?<=[^\s.!?…:\"'”’)\]] .)[^\W_]*(?:['’][^\W_]+)*")
"""A word with a capital inside a sentence, of alphabets that have capitals."""
_MYSELF = frozenset(("i", "im", "ive", "ill", "id"))
_ABBREVIATION = _list(
    """
    mr mrs ms dr st vs etc eg ie e.g i.e no fig jr sr prof approx dept inc ltd co bzw ca z.b usw nr sra sto mme mlle
    """
)
"""Words whose full stop ends no sentence."""
LONG = 40
"""Words; a longer sentence is cut into clauses."""
CLAUSE = 8
"""Words; no clause is shorter."""


def words(text: str) -> list[str]:
    """The words of a text, folded for comparison; runs of script without spaces become overlapping character pairs.

    An apostrophe joins what it stands between. The words of a text are those of its sentences.
    """
    if text.isascii():
        return text.lower().translate(_ASCII).split()
    found = _WORD.findall(text.replace("'", "").replace("’", ""))
    if _SPACELESS.search(text):
        found = [piece for w in found for piece in (_pairs(w) if _SPACELESS.match(w) else (w,))]
    # At once: a call for each word costs more.
    return " ".join(found).lower().split(" ") if found else []


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]


def names(text: str) -> list[str]:
    """The words that are written with a capital inside a sentence, folded."""
    found = _NAME.findall(text)
    return [w for w in words(" ".join(found)) if w not in _MYSELF] if found else []


def asides(text: str) -> list[tuple[list[str], bool]]:
    """Questions and bracketed remarks, which tell nothing: words, and whether it is a question; other stretches empty.

    Roughly: a full stop in an abbreviation ends a stretch too.
    """
    if not any(mark in text for mark in _ASIDE_MARKS):
        return []
    out: list[tuple[list[str], bool]] = []
    for stretch in _STRETCH.findall(text):
        asks = stretch[-1] in QUESTION
        if asks or stretch[0] == "[":
            out.append((words(stretch), asks))
        elif len(stretch) > 2:  # else no more than closing quotes
            out.append(([], False))
    return out


def sentences(text: str) -> list[tuple[int, int]]:
    """Spans of the sentences of a text: in order, disjoint, without surrounding white space. Long ones become clauses."""
    spans: list[tuple[int, int]] = []
    start = 0
    for m in (_END_OR_BRACKET if "[" in text or "]" in text else _END).finditer(text):
        if m[0] == "." and _not_an_end(text, m.start()):
            continue
        _emit(text, start, m.end(), spans)
        start = m.end()
    _emit(text, start, len(text), spans)
    return spans


def _not_an_end(text: str, at: int) -> bool:
    """Whether this full stop ends an abbreviation: the text goes on in lower case, or the word before it is one."""
    after = text[at + 1 : at + 3].strip()
    if after and after[0].islower():
        return True
    head = text[max(0, at - 12) : at].rsplit(None, 1)[-1:]
    return bool(head) and (
        (len(head[0]) == 1 and head[0].isupper() and head[0] != "I") or head[0].lower() in _ABBREVIATION
    )


def _emit(text: str, start: int, end: int, spans: list[tuple[int, int]]) -> None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start == end:
        return
    if end - start > 4 * LONG and _CLAUSE_MARK.search(text, start, end) and (n := len(words(text[start:end]))) > LONG:
        done = 0
        for m in _CLAUSE.finditer(text, start, end):
            k = len(words(text[start : m.start()]))
            if k >= CLAUSE and n - done - k >= CLAUSE:
                spans.append((start, m.start()))
                start, done = m.end(), done + k
    spans.append((start, end))


# The lists are optional: a word that two of the languages use differently is left out, and other languages get by
# without, because what is rare is counted in the session.
FIRST = _list(
    """
    i me my mine myself im ive id ill ich mich mir mein meine meinen meinem meiner je moi mon ma yo mí mio mis io
    mia miei eu meu minha 我 我的 私は 私の 僕は 僕の 私が 僕が
    """
)
"""First person."""
SECOND = _list(
    """
    you your yours yourself youre youve youd youll dich dir dein deine deinen deinem deiner ihnen vous votre vos tu
    toi te usted ustedes tuyo ti tuo tua tuoi você vocês seu sua 你 你们 您 你的 您的 あなた 君は
    """
)
"""Second person."""
TIME = _list(
    """
    yesterday today tomorrow tonight ago last next week weeks weekend weekends month months year years monday
    tuesday wednesday thursday friday saturday sunday january february march april june july august september
    october november december recently since until lately gestern heute morgen vorgestern letzte letzten letztes
    letzter nächste nächsten nächstes woche wochen wochenende monat monate jahr jahre jahren kürzlich neulich seit
    bis montag dienstag mittwoch donnerstag freitag samstag sonntag januar februar märz juni juli oktober dezember
    hier demain hui dernier dernière prochain prochaine semaine semaines mois année années ans récemment depuis
    lundi mardi mercredi jeudi vendredi samedi dimanche janvier février avril juin juillet août septembre octobre
    novembre décembre ayer hoy mañana pasado pasada próximo próxima semana semanas fin meses año años hace desde
    hasta lunes martes miércoles jueves viernes sábado domingo enero febrero marzo abril mayo junio julio agosto
    septiembre octubre noviembre diciembre ieri oggi domani scorso scorsa prossimo prossima settimana mese mesi anno
    anni ontem hoje amanhã passado passada ano anos mês 昨天 今天 明天 前天 上周 下周 上个 下个 去年 今年 明年 星期 周末 最近 以前 昨日 今日 明日 先週 来週
    先月 来月 来年
    """
)
"""When something was, or will be."""
COURTESY = _list(
    """
    thanks thank wow great awesome amazing cool nice glad sounds congrats sorry welcome appreciate bet sure
    definitely absolutely yeah yep yes haha hey hi hello bye wonderful lovely incredible proud happy exciting looks
    keep soon okay ok please perfect excellent danke toll super klasse hallo gerne bitte genau freut schön merci
    génial bonjour salut parfait gracias genial hola claro grazie ciao fantastico obrigado obrigada olá ótimo 谢谢 你好
    真棒 太好 好的 ありが 了解 すごい
    """
)
"""Said to be kind rather than to tell something."""
PAST = _list(
    """
    was were had did went took got made saw started tried wanted talked came gave found bought met felt told said
    knew thought won lost left joined signed finished used been became began hatte habe haben bin waren wurde ging
    machte ai avons était étaient fait été fui fue había hecho estuve ho abbiamo stato stata fatto fiz foi tinha
    """
)
"""Past tense."""
NUMBER = _list(
    """
    one two three four five six seven eight nine ten eleven twelve twenty hundred thousand first second third once
    twice few several couple many zwei drei vier fünf sechs sieben acht neun zehn deux trois quatre cinq sept huit
    neuf dix dos tres cuatro cinco seis siete ocho nueve diez due tre quattro sei sette otto nove dieci
    """
)
"""Numbers and ordinals in words."""
FUNCTION = _list(
    """
    a an the this that these those here there and or but nor so if then than as because while of to in on at by for
    with from into onto over under up down out off about after before i me my mine we us our ours you your yours he
    him his she her hers it its they them their theirs who whom whose what which when where why how myself yourself
    themselves am is are was were be been being do does did doing done have has had having will would shall should
    can could may might must let get gets got getting go goes going gone not no yes ok okay just only also too very
    really quite even still again all any some both each every other such more most much many im ive id ill youre
    youve youd youll hes shes weve theyre theyve thats theres whats lets dont doesnt didnt isnt arent wasnt werent
    cant couldnt wont wouldnt havent hasnt hadnt hi hey hello oh wow yeah yep thanks thank great good nice
    """
)
"""Never worth covering by themselves."""
FIRST_WORD, YOU, TIME_WORD, COURTESY_WORD, PAST_WORD, NUMBER_WORD, STOP = (1 << k for k in range(7))
_LISTS = (
    (FIRST_WORD, FIRST),
    (YOU, SECOND),
    (TIME_WORD, TIME),
    (COURTESY_WORD, COURTESY),
    (PAST_WORD, PAST),
    (NUMBER_WORD, NUMBER),
    (STOP, FUNCTION),
)
_CLASSES = {
    word: sum(bit for bit, listed in _LISTS if word in listed)
    for word in frozenset().union(*(listed for _, listed in _LISTS))
}


def classes(word: str) -> int:
    """The word lists that a word is on, as bits."""
    bits = _CLASSES.get(word, 0)
    if word[0].isdigit():
        bits |= NUMBER_WORD
    elif len(word) > 4 and word.endswith("ed"):
        bits |= PAST_WORD
    elif not word.isascii() and _SPACELESS.match(word):
        bits |= _CLASSES.get(word[0], 0)  # one character is half of a pair
    return bits
