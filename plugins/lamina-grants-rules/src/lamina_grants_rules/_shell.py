"""Takes a command line apart, as a POSIX shell or bash would, so far as it must be known what runs.

What is not understood, or can be known only when it runs, is said to be so. It never guesses: a reader that takes
less for understood than the shell does makes more calls be asked about, one that takes more lets them through.
"""

from __future__ import annotations

import functools
import re

from attrs import frozen

_DEPTH = 20
_LENGTH = 20_000
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(\[[^\]]*\])?\+?=")
_NAME = re.compile(r"[A-Za-z_]\w*|[0-9@*#?$!-]")
_LEADING = frozenset({"!", "{", "}", "if", "then", "else", "elif", "fi", "while", "until", "do", "done", "time"})
"""Words after which a command begins, or that end one."""
_OPAQUE = frozenset({"case", "esac", "function", "select", "coproc", "[["})
_HARMLESS = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr"})


@frozen
class Word:
    """One word; ``known`` tells whether it is this text, whatever the variables and files are."""

    text: str
    known: bool = True


@frozen
class Command:
    """One simple command."""

    words: tuple[Word, ...]
    plain: bool = True
    """Whether it is its words and nothing else: no assignment before it, no file read or written by ``<`` and ``>``."""


@frozen
class Line:
    """A command line."""

    commands: tuple[Command, ...]
    """All that would run: of lists, pipelines, loops, subshells and substitutions."""
    understood: bool
    """Whether that is all; if not, anything may run."""


class _OpaqueError(Exception):
    """It is not understood."""


@functools.lru_cache(maxsize=1024)
def _parsed(text: str) -> Line:
    reader = _Reader(text, 0)
    try:
        reader.read("")
    except _OpaqueError:
        return Line(tuple(reader.commands), understood=False)
    return Line(tuple(reader.commands), understood=True)


def parsed(text: str) -> Line:
    """The commands of a line."""
    return _parsed(text) if len(text) <= _LENGTH else Line((), understood=False)


class _Reader:
    def __init__(self, text: str, depth: int) -> None:
        self.commands: list[Command] = []
        self._text, self._at, self._depth = text, 0, depth

    def _peek(self, size: int = 1) -> str:
        return self._text[self._at : self._at + size]

    # ------------------------------------------------------------- lists of commands

    def read(self, end: str) -> None:
        """Read commands up to ``end``, which is taken too; to the end of the text where it is empty."""
        if self._depth > _DEPTH:
            raise _OpaqueError
        opened = 0
        while self._at < len(self._text):
            character = self._peek()
            if character in " \t\n;&|" or self._text.startswith("\\\n", self._at):
                self._at += 2 if character == "\\" else 1
            elif character == "(":
                if self._peek(2) == "((":
                    raise _OpaqueError  # arithmetic
                opened += 1
                self._at += 1
            elif character == ")" and not opened:
                if end != ")":
                    raise _OpaqueError
                self._at += 1
                return
            elif character == ")":
                opened -= 1
                self._at += 1
                self._after_group()
            else:
                self._command()
        if end or opened:
            raise _OpaqueError

    def _after_group(self) -> None:
        """What stands behind a ``)``: redirections of the whole group belong to nobody's words."""
        while self._peek() in (" ", "\t"):
            self._at += 1
        if self._peek() and self._peek() not in ";&|\n)":
            raise _OpaqueError

    def _command(self) -> None:
        words: list[Word] = []
        plain = True
        while self._at < len(self._text) and not self._ends():
            if self._peek() in " \t":
                self._at += 1
            elif self._text.startswith("\\\n", self._at):
                self._at += 2
            elif self._redirects():
                plain = self._redirection() and plain
            elif words:
                words.append(self._word()[0])
            else:
                word, raw = self._word()
                if raw == "for":
                    return self._loop()
                plain = self._first(word, raw, words) and plain
        if words or not plain:
            self.commands.append(Command(tuple(words), plain))
        return None

    def _ends(self) -> bool:
        """Whether a command ends here."""
        character = self._peek()
        if character in "(#":
            raise _OpaqueError  # a function, an array, a glob of ksh; a comment, if the shell has comments
        return character in "\n;|)" or (character == "&" and self._peek(2) != "&>")

    @staticmethod
    def _first(word: Word, raw: str, words: list[Word]) -> bool:
        """Take in what may be a command's first word; whether it leaves it plain."""
        if _ASSIGNMENT.match(raw):
            return False
        if raw in _OPAQUE:
            raise _OpaqueError
        if raw not in _LEADING:
            words.append(word)
        return True

    def _loop(self) -> None:
        """``for NAME in WORDS``: what it goes over is no command, but substitutions in it are."""
        while self._at < len(self._text) and self._peek() not in "\n;":
            if self._peek() in " \t":
                self._at += 1
            elif self._peek() in "&|()<>#":
                raise _OpaqueError
            else:
                self._word()

    # ------------------------------------------------------------- redirections

    def _redirects(self) -> bool:
        return re.match(r"[0-9]*(<(?!\()|>(?!\())|&>|\{\w+\}[<>]", self._text[self._at : self._at + 40]) is not None

    def _redirection(self) -> bool:
        """Read one; whether it touches no file."""
        match = re.compile(r"[0-9]*(<<<|<<-|<<|<>|<&|>>|>\||>&|<|>)|&>>|&>").match(self._text, self._at)
        if match is None or match[0].lstrip("0123456789") in ("<<", "<<-"):
            raise _OpaqueError  # text that follows may hold commands
        self._at = match.end()
        while self._peek() in (" ", "\t"):
            self._at += 1
        if not self._peek() or self._peek() in "\n;&|()<>#":
            raise _OpaqueError
        word, _ = self._word()
        if match[0].endswith("&") and re.fullmatch(r"[0-9]+-?|-", word.text) and word.known:
            return True
        return word.known and word.text in _HARMLESS and match[0].lstrip("0123456789") not in ("<>",)

    # ------------------------------------------------------------- words

    def _word(self) -> tuple[Word, str]:
        """A word, and how it is written."""
        start, text, known = self._at, list[str](), True
        while self._at < len(self._text):
            character = self._peek()
            if character in " \t\n;&|()" or (character in "<>" and self._peek(2)[1:] != "("):
                break
            if character in "<>":
                self._at += 2
                self._inner()
                known = False
            elif character == "'":
                text.append(self._quoted())
            elif character == '"':
                inside, sure = self._double()
                text.append(inside)
                known = known and sure
            elif character == "\\":
                if self._at + 1 >= len(self._text):
                    raise _OpaqueError
                escaped = self._peek(2)[1]
                text.append("" if escaped == "\n" else escaped)
                self._at += 2
            elif character in "$`":
                known = False
                text.append(self._expansion())
            else:
                # Globs, home folders, alternatives: what they become depends on files.
                known = known and character not in "*?[" and not (character == "~" and (not text or text[-1] in "=:"))
                text.append(character)
                self._at += 1
        raw = self._text[start : self._at]
        if self._at == start:
            raise _OpaqueError
        if re.search(r"\{[^{}]*(,|\.\.)[^{}]*\}", raw):
            known = False
        if any((ord(c) < 32 and c not in "\t\n") or ord(c) == 127 for c in raw):
            raise _OpaqueError
        return Word("".join(text), known), raw

    def _quoted(self) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise _OpaqueError
        inside, self._at = self._text[self._at + 1 : end], end + 1
        return inside

    def _double(self) -> tuple[str, bool]:
        self._at += 1
        text, known = list[str](), True
        while True:
            character = self._peek()
            if not character:
                raise _OpaqueError
            if character == '"':
                self._at += 1
                return "".join(text), known
            if character == "\\" and self._peek(2)[1:] in tuple('$`"\\\n'):
                text.append(self._peek(2)[1:].replace("\n", ""))
                self._at += 2
            elif character in "$`":
                known = False
                text.append(self._expansion(quoted=True))
            else:
                text.append(character)
                self._at += 1

    def _expansion(self, *, quoted: bool = False) -> str:
        """Read what begins with ``$`` or a backquote; commands in it are taken in. Gives what stands for it."""
        if self._peek() == "`":
            return self._backquoted(quoted)
        if self._peek(3) == "$((" or self._peek(2) == "$[":
            raise _OpaqueError  # arithmetic may run commands in a subscript
        if self._peek(2) == "$(":
            self._at += 2
            self._inner()
            return "$"
        if self._peek(2) == "${":
            return self._braced()
        if self._peek(2) in ("$'", '$"') and not quoted:
            raise _OpaqueError  # escapes of its own, or a translation
        name = _NAME.match(self._text, self._at + 1)
        self._at = name.end() if name else self._at + 1
        return "$"

    def _backquoted(self, quoted: bool) -> str:
        at, inside = self._at + 1, list[str]()
        while True:
            character = self._text[at : at + 1]
            if not character:
                raise _OpaqueError
            if character == "`":
                break
            if character == "\\" and self._text[at + 1 : at + 2] in tuple('$`\\"' if quoted else "$`\\"):
                at += 1
                character = self._text[at]
            inside.append(character)
            at += 1
        self._at = at + 1
        reader = _Reader("".join(inside), self._depth + 1)
        try:
            reader.read("")
        finally:
            self.commands += reader.commands
        return "$"

    def _inner(self) -> None:
        """Read a substitution up to its ``)``."""
        reader = _Reader(self._text[self._at :], self._depth + 1)
        try:
            reader.read(")")
        finally:
            self.commands += reader.commands
        self._at += reader._at

    def _braced(self) -> str:
        """``${…}``: only the simple forms; in the others there may be anything."""
        match = re.compile(r"\$\{[!#]?[A-Za-z_0-9@*#?$-]+((:?[-+=?]|%%?|##?|\^\^?|,,?|/)[\w ./,:-]*)?\}").match(
            self._text, self._at
        )
        if match is None or "!" in match[0] or "@" in match[0][3:]:
            raise _OpaqueError
        self._at = match.end()
        return "$"
