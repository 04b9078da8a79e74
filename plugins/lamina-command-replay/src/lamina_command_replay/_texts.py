"""What a message says, what it costs, and where words stand in a text; each derived once per distinct text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from attrs import frozen

from lamina.model import Image

ChatMessage = Mapping[str, Any]
"""A message in OpenAI chat form."""

_CANDIDATE = re.compile(r"[A-Za-z0-9_#$][A-Za-z0-9_./\-#:@$]{3,}[A-Za-z0-9_]")
_TELLING = re.compile(r"[0-9_/]|\w\.\w|[a-z][A-Z]")
_WORD = re.compile(r"\w+")
_LONG_WORD = 24
"""Characters of the longest token that is worth looking for."""


def atoms(text: str) -> frozenset[str]:
    """The text's atoms: at least five characters, with a digit, an underscore, a slash, a dot or inner capitals."""
    return frozenset(word for word in set(_CANDIDATE.findall(text)) if _TELLING.search(word))


def _of_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def last_word(text: str, word: str) -> int:
    """Where ``word`` last stands in ``text`` by itself, not as a part of a longer word; -1 when nowhere."""
    end = len(text)
    while (start := text.rfind(word, 0, end)) >= 0:
        end = start + len(word)
        glued_before = start > 0 and _of_word(text[start - 1]) and _of_word(word[0])
        glued_after = end < len(text) and _of_word(text[end]) and _of_word(word[-1])
        if not (glued_before or glued_after):
            return start
        end -= 1
    return -1


def surroundings(text: str, word: str, reach: int = 80) -> str:
    """The last standing of ``word`` in ``text`` with up to ``reach`` characters on each side, within its line."""
    # A word that stands nowhere by itself (glued to a letter outside ASCII) is looked for at the text's start.
    start = max(last_word(text, word), 0)
    end = start + len(word)
    line_end = text.find("\n", end)
    stop = len(text) if line_end < 0 else line_end
    return text[max(text.rfind("\n", 0, start) + 1, start - reach) : min(stop, end + reach)]


def same_words(original: str, text: str) -> bool:
    """Whether ``text`` is ``original``, or says the same encoded anew (a table, minified JSON, …).

    Anew means: at least 90 % of the distinct words of each stand in the other.
    """
    if original == text:
        return True
    before, after = set(_WORD.findall(original)), set(_WORD.findall(text))
    if not before or not after:
        return False
    common = len(before & after)
    return common >= 0.9 * len(before) and common >= 0.9 * len(after)


def _values(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _values(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner)
    else:
        yield value if isinstance(value, str) else json.dumps(value)


def argument_values(arguments: str) -> str:
    """The values of a call's arguments, one per line, without their keys; the text itself if it is no JSON."""
    try:
        return "\n".join(_values(json.loads(arguments)))
    except (ValueError, RecursionError):
        return arguments


def words(text: str) -> str:
    """The text's words in lower case, with one space between them."""
    return " ".join(_WORD.findall(text.lower()))


def _argument_words(arguments: str) -> str:
    """The words of a call's arguments, keys included."""
    if arguments.startswith("{"):
        with suppress(ValueError, RecursionError):
            # Some recordings escape what is not ASCII, letter by letter.
            arguments = json.dumps(json.loads(arguments), ensure_ascii=False)
    return words(arguments)


def content_text(content: Any) -> str:
    """A message's content as text; the text parts of a list, joined by line feeds."""
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in content if part.get("type") == "text")
    return content or ""


def _images(content: Any) -> tuple[Image, ...]:
    """The images of a message; a ``data:`` URL stays one."""
    if not isinstance(content, list):
        return ()
    urls = [part.get("image_url") for part in content if part.get("type") == "image_url"]
    return tuple(Image("url", str(url.get("url", "")) if isinstance(url, Mapping) else str(url)) for url in urls)


@frozen
class Facts:
    """What one message says and costs."""

    said: str
    """Content and argument values, decoded, without tool names and argument keys."""
    tokens: int
    """Of content, calls and frames."""
    said_tokens: int
    """Of ``said``."""


class Texts:
    """Counts texts and messages, each distinct one once. One serves any number of measures of the same session.

    Args:
        count: Tokens of each of the given texts.
        message_tokens: What the frame of a message costs.
        call_tokens: What the frame of a tool call costs.
        image_tokens: What an image costs, where ``count_images`` does not say.
        count_images: Tokens of each of the given images.
    """

    def __init__(
        self,
        count: Callable[[Sequence[str]], Sequence[int]],
        *,
        message_tokens: int = 4,
        call_tokens: int = 4,
        image_tokens: int = 1600,
        count_images: Callable[[Sequence[Image]], Sequence[int]] | None = None,
    ) -> None:
        self._count = count
        self._message_tokens, self._call_tokens = message_tokens, call_tokens
        self._count_images = count_images or (lambda images: [image_tokens] * len(images))
        self._tokens: dict[str, int] = {}
        self._facts: dict[tuple[str, tuple[Image, ...], tuple[tuple[str, str], ...]], Facts] = {}
        self._atoms: dict[str, frozenset[str]] = {}
        self._same: dict[tuple[str, str], bool] = {}
        self._words: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}

    def tokens(self, text: str) -> int:
        """Tokens of one text."""
        known = self._tokens.get(text)
        if known is None:
            known = self._tokens[text] = self._count([text])[0]
        return known

    def facts(self, message: ChatMessage) -> Facts:
        """What the message says and costs."""
        calls = tuple((c["function"]["name"], c["function"]["arguments"]) for c in message.get("tool_calls") or ())
        content, images = content_text(message.get("content")), _images(message.get("content"))
        key = (content, images, calls)
        if key not in self._facts:
            self._facts[key] = self._derive(content, images, calls)
        return self._facts[key]

    def _derive(self, content: str, images: Sequence[Image], calls: Iterable[tuple[str, str]]) -> Facts:
        tokens = self._message_tokens + self.tokens(content) + sum(self._count_images(images))
        said = [content]
        for name, arguments in calls:
            tokens += self._call_tokens + self.tokens(name) + self.tokens(arguments)
            said.append(argument_values(arguments))
        # Recordings quote code and logs inside JSON strings: an escaped line end is a line end.
        text = "\n".join(said).replace("\\n", "\n").replace('\\"', '"')
        return Facts(text, tokens, self.tokens(text))

    def head(self, text: str, tokens: int) -> str:
        """The text's longest beginning of at most so many tokens."""
        most = 4 * tokens
        while most < len(text) and self._costs(text[:most]) <= tokens:
            most *= 2
        if most >= len(text) and self._costs(text) <= tokens:
            return text
        least, most = 0, min(most, len(text))
        while most - least > 1:
            middle = (least + most) // 2
            if self._costs(text[:middle]) <= tokens:
                least = middle
            else:
                most = middle
        # A word cut in the middle may cost more than the whole word.
        ends = range(min(len(text), least + _LONG_WORD), least, -1)
        return text[: next((end for end in ends if self._costs(text[:end]) <= tokens), least)]

    def _costs(self, text: str) -> int:
        """Tokens of a text that is asked about once."""
        return self._count([text])[0]

    def words(self, message: ChatMessage) -> tuple[str, ...]:
        """The words of the message's content, and those of the arguments of each of its calls."""
        content = content_text(message.get("content"))
        calls = tuple(call["function"]["arguments"] for call in message.get("tool_calls") or ())
        known = self._words.get((content, calls))
        if known is None:
            known = self._words[content, calls] = (words(content), *map(_argument_words, calls))
        return known

    def atoms(self, text: str) -> frozenset[str]:
        """:func:`atoms`, remembered."""
        known = self._atoms.get(text)
        if known is None:
            known = self._atoms[text] = atoms(text)
        return known

    def same_words(self, original: str, text: str) -> bool:
        """:func:`same_words`, remembered."""
        if original == text:
            return True
        key = (original, text)
        if key not in self._same:
            self._same[key] = same_words(original, text)
        return self._same[key]
