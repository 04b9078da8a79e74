"""The grammar of regular expressions, as JSON Schema has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Node: TypeAlias = tuple[Any, ...]
"""``("empty",)``, ``("set", test)``, ``("assert", kind)``, ``("look", node, wanted)``, ``("seq", nodes)``,
``("alt", nodes)`` or ``("repeat", node, least, most)``."""
Test: TypeAlias = Callable[[str], bool]

_DEPTH = 100
_SPACES = frozenset("\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff") | {
    chr(c) for c in range(0x2000, 0x200B)
}
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "v": "\v", "f": "\f", "0": "\0"}


def _digit(character: str) -> bool:
    return "0" <= character <= "9"


def _word(character: str) -> bool:
    return character == "_" or (character.isascii() and character.isalnum())


_CLASSES: dict[str, Test] = {"d": _digit, "w": _word, "s": _SPACES.__contains__}


def _not(test: Test) -> Test:
    return lambda character: not test(character)


def _dot(character: str) -> bool:
    return character not in "\n\r\u2028\u2029"


def parse(source: str) -> Node:
    """The pattern as a tree.

    Raises:
        ValueError: It is none, or uses what cannot be matched in bounded time; names the place.
    """
    parser = _Parser(source)
    node = parser.alternatives(0)
    if parser.at < len(source):
        raise parser.wrong("a ) without its (")
    return node


class _Parser:
    def __init__(self, source: str) -> None:
        self.source, self.at = source, 0

    def wrong(self, what: str) -> ValueError:
        return ValueError(f"{what} at character {self.at}")

    def peek(self, text: str) -> bool:
        return self.source.startswith(text, self.at)

    def take(self, text: str) -> bool:
        if self.peek(text):
            self.at += len(text)
            return True
        return False

    def next(self) -> str:
        if self.at >= len(self.source):
            raise self.wrong("ends too early")
        self.at += 1
        return self.source[self.at - 1]

    def alternatives(self, depth: int) -> Node:
        if depth > _DEPTH:
            raise self.wrong(f"nested deeper than {_DEPTH}")
        options = [self.sequence(depth)]
        while self.take("|"):
            options.append(self.sequence(depth))
        return options[0] if len(options) == 1 else ("alt", options)

    def sequence(self, depth: int) -> Node:
        nodes: list[Node] = []
        while self.at < len(self.source) and not self.peek("|") and not self.peek(")"):
            nodes.append(self.quantified(self.atom(depth)))
        return ("seq", nodes) if nodes else ("empty",)

    def quantified(self, node: Node) -> Node:
        least, most = self.quantifier()
        if least is None:
            return node
        if node[0] in ("assert", "look"):
            raise self.wrong("repeats what has no length")
        if not self.take("?") and self.peek("+"):
            raise self.wrong("a possessive quantifier, which JSON Schema does not have,")
        if self.at < len(self.source) and self.source[self.at] in "*?":
            raise self.wrong("a quantifier that repeats nothing")
        return ("repeat", node, least, most)

    def quantifier(self) -> tuple[int | None, int | None]:
        for mark, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self.take(mark):
                return bounds
        close = self.source.find("}", self.at) if self.peek("{") else -1
        least, comma, most = self.source[self.at + 1 : close].partition(",") if close > 0 else ("", "", "")
        if not (least.isascii() and least.isdigit() and (not most or (most.isascii() and most.isdigit()))):
            return None, None  # a brace that stands for itself
        if len(least) > 9 or len(most) > 9:
            raise self.wrong("a repetition that is too large")
        self.at = close + 1
        lower, upper = int(least), int(most) if most else None if comma else int(least)
        if upper is not None and upper < lower:
            raise self.wrong("a repetition from more to fewer")
        return lower, upper

    def atom(self, depth: int) -> Node:
        character = self.next()
        if character == "(":
            return self.group(depth)
        if character == "[":
            return ("set", self.set())
        if character == "\\":
            return self.escape()
        if character in "^$":
            return ("assert", character)
        if character == ".":
            return ("set", _dot)
        if character in "*+?":
            raise self.wrong("a quantifier that repeats nothing")
        return ("set", character.__eq__)

    def group(self, depth: int) -> Node:
        look: bool | None = None
        if self.take("?=") or self.take("?!"):
            look = self.source[self.at - 1] == "="
        elif self.peek("?<=") or self.peek("?<!"):
            raise self.wrong("looks behind, which cannot be checked in bounded time,")
        elif self.take("?<") or self.take("?P<"):
            while self.next() != ">":
                pass
        elif self.peek("?") and not self.take("?:"):
            raise self.wrong("a kind of group that JSON Schema does not have")
        node = self.alternatives(depth + 1)
        if not self.take(")"):
            raise self.wrong("a ( without its )")
        return node if look is None else ("look", node, look)

    def escape(self) -> Node:
        character = self.next()
        if character in "bB":
            return ("assert", character)
        if character in "123456789k":
            raise self.wrong("a back-reference, which cannot be checked in bounded time,")
        test = self.class_of(character)
        return ("set", test if test is not None else self.literal(character).__eq__)

    def class_of(self, character: str) -> Test | None:
        """The class that a letter after a backslash names, if it names one."""
        if character.lower() in _CLASSES:
            test = _CLASSES[character.lower()]
            return test if character.islower() else _not(test)
        if character in "pP" and self.take("{"):
            close = self.source.find("}", self.at)
            if close < 0:
                raise self.wrong("a property without its }")
            name, self.at = self.source[self.at : close], close + 1
            inside = _property(name)
            if inside is None:
                raise self.wrong(f"an unknown property {name!r}")
            return inside if character == "p" else _not(inside)
        return None

    def literal(self, character: str) -> str:
        if character in _CONTROLS:
            return _CONTROLS[character]
        if character == "c":
            return chr(ord(self.next()) % 32)
        if character in "xu":
            if character == "u" and self.take("{"):
                close = self.source.find("}", self.at)
                digits, self.at = self.source[self.at : close], close + 1
            else:
                size = 2 if character == "x" else 4
                digits, self.at = self.source[self.at : self.at + size], self.at + size
                if len(digits) < size:
                    raise self.wrong("an escape that is too short")
            try:
                return chr(int(digits, 16))
            except (ValueError, OverflowError):
                raise self.wrong(f"an escape of {digits[:10]!r}, which is no character,") from None
        return character

    def set(self) -> Test:
        negated = self.take("^")
        tests: list[Test] = []
        characters: set[str] = set()
        ranges: list[tuple[str, str]] = []
        while not self.take("]"):
            first = self.member()
            if callable(first):
                tests.append(first)
            elif self.peek("-") and not self.peek("-]"):
                self.at += 1
                last = self.member()
                if callable(last):
                    characters |= {first, "-"}
                    tests.append(last)
                elif last < first:
                    raise self.wrong(f"a range from {first!r} to {last!r}")
                else:
                    ranges.append((first, last))
            else:
                characters.add(first)
        return _set(frozenset(characters), tuple(ranges), tuple(tests), negated)

    def member(self) -> str | Test:
        character = self.next()
        if character != "\\":
            return character
        character = self.next()
        if character == "b":
            return "\b"
        return self.class_of(character) or self.literal(character)


def _set(
    characters: frozenset[str], ranges: tuple[tuple[str, str], ...], tests: tuple[Test, ...], negated: bool
) -> Test:
    def member(character: str) -> bool:
        inside = (
            character in characters
            or any(first <= character <= last for first, last in ranges)
            or any(test(character) for test in tests)
        )
        return inside is not negated

    return member


def _property(name: str) -> Test | None:
    """Unicode's general categories by name: ``L``, ``Lu``, ``Letter``."""
    import unicodedata

    long = {
        "Letter": "L",
        "Number": "N",
        "Punctuation": "P",
        "Symbol": "S",
        "Separator": "Z",
        "Mark": "M",
        "Other": "C",
    }
    short = long.get(name.removeprefix("General_Category=").removeprefix("gc="), name)
    if not (1 <= len(short) <= 2 and short[0] in "LNPSZMC" and short.isalpha()):
        return None
    return lambda character: unicodedata.category(character).startswith(short)
