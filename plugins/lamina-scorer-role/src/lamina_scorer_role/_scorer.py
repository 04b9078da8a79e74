"""What each part of a page is worth, and so the page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from weakref import WeakKeyDictionary

from attrs import frozen

from lamina.model import Message, Page, Part, Reasoning, Text, ToolCall, ToolResult
from lamina.protocols import ScoreRequest
from lamina_scorer_role import RoleSettings

OTHER_CHARACTERS = 400
"""What an image or an unknown part counts for beside texts."""

ERROR_CHARACTERS = 300
"""So much of a result's start is looked at: an error says so at once, a log of successes mentions errors later."""

_ERROR = re.compile(
    r"\b(?:error|exception|traceback|failed|failure|fatal|panic|denied|refused|not found|no such|timed out|invalid|"
    r"fehler|fehlgeschlagen|ошибк\w*|сбой|не найден\w*|отказано)\b|\w(?:error|exception)\b|"
    r"错误|錯誤|失败|失敗|异常|未找到|エラー|例外|見つかりません|오류|실패"
)
# Nearly every result has none of these, and to look for them is ten times as quick.
_HINTS = (
    "err", "exc", "trace", "fail", "fat", "pan", "den", "ref", "not", "no s", "tim", "inv", "fehl", "оши", "сбой",
    "не н", "отк", "错", "錯", "失", "异", "未", "エラ", "例外", "見つ", "오류", "실패",
)  # fmt: skip
_QUESTION = ("?", "\uff1f", "\u061f", "\u037e")  # Latin, Chinese and Japanese, Arabic, Greek
_CLOSING = " \t\r\n\"'*_)]}»”’」』）】"


@frozen
class _Features:
    """What of a page does not change."""

    worth: float
    asks: bool
    """Whether it is the assistant's and ends with a question."""
    replies: bool
    """Whether it is a user's and short enough for a reply."""


class RoleScorer:
    """Rates pages by who speaks and how."""

    def __init__(self, settings: RoleSettings) -> None:
        self._settings = settings
        self._known: WeakKeyDictionary[Page, _Features] = WeakKeyDictionary()

    async def score(self, request: ScoreRequest) -> Sequence[float]:
        """Rate each page by role and shape.

        The mean of what its parts are worth, weighted by their lengths; a short user message right after a
        question of the assistant is a decision. O(n); a page is read once.
        """
        decided = set()
        asked = False
        for page in request.log or sorted(request.pages, key=lambda page: page.id):
            features = self._features(page)
            if asked and features.replies:
                decided.add(page.id)
            asked = features.asks
        decision = self._settings.decision
        return [decision if p.id in decided else self._features(p).worth for p in request.pages]

    def _features(self, page: Page) -> _Features:
        known = self._known.get(page)
        if known is None:
            known = self._known[page] = self._read(page)
        return known

    def _read(self, page: Page) -> _Features:
        total = weight = 0.0
        for worth, characters in self._shares(page):
            total, weight = total + worth * characters, weight + characters
        text = page.messages[0].text
        said = "".join(p.text for m in page.messages[-1:] for p in m.parts if isinstance(p, Text))
        return _Features(
            # Clipped because a mean of equal floats may exceed them by a rounding.
            worth=min(1.0, total / weight) if weight else self._settings.other,
            asks=page.role == "assistant" and said.rstrip(_CLOSING).endswith(_QUESTION),
            replies=page.role == "user" and 0 < len(text.strip()) <= self._settings.instruction_characters,
        )

    def _shares(self, page: Page) -> Iterator[tuple[float, int]]:
        for message in page.messages:
            for part in message.parts:
                yield from self._part(message, part)

    def _part(self, message: Message, part: Part) -> Iterator[tuple[float, int]]:
        settings = self._settings
        match part:
            case Text(text) if message.role == "user":
                start = min(len(text), settings.instruction_characters)
                yield settings.instruction, start
                yield settings.pasted, len(text) - start
            case Text(text):
                if message.role == "system":
                    yield settings.system, len(text)
                else:
                    yield settings.prose if message.calls else settings.answer, len(text)
            case ToolCall(name=name, arguments=arguments):
                yield settings.call, len(name) + len(arguments)
            case ToolResult(text=text, error=error):
                bad = error or _reads_like_error(text[:ERROR_CHARACTERS].lower())
                # One more than its length, so that an empty result is still a result.
                yield settings.error if bad else settings.result, len(text) + 1
            case Reasoning(text):
                yield settings.reasoning, len(text)
            case _:
                yield settings.other, OTHER_CHARACTERS


def _reads_like_error(start: str) -> bool:
    return any(hint in start for hint in _HINTS) and bool(_ERROR.search(start))
