"""Patterns of rules, and what they say of a call: surely, perhaps, or not at all."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator, Sequence

from attrs import define, field

from lamina_grants_rules._paths import PathPattern
from lamina_grants_rules._shell import Command, Word, parsed

_WRAPPERS = frozenset({
    "sudo", "doas", "env", "command", "builtin", "exec", "nohup", "nice", "ionice", "time", "timeout", "stdbuf", "setsid",
    "xargs", "watch", "strace", "ltrace", "chroot", "su", "runuser", "find", "busybox", "unbuffer", "flock", "parallel",
    "ssh", "docker", "podman", "kubectl", "script", "eval", "sh", "bash", "zsh", "dash", "ksh", "fish", "source", ".",
    "trap", "python", "python3", "perl", "ruby", "node", "awk", "gawk", "systemd-run", "taskset", "chrt", "unshare",
})  # fmt: skip
"""Commands that run others, which stand among their words."""
_SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ksh", "fish", "eval", "su", "ssh", "trap", "watch", "script"})


Test = Callable[[str], object]
_WORDS = 64
"""Words of a command that runs others which are looked at; one with more is taken to run anything."""


def _name(word: Word) -> str:
    return word.text.rsplit("/", 1)[-1]


def within(command: Command) -> Iterator[Command]:
    """A command, and those that it runs itself, so far as they can be read from its words."""
    yield command
    if _wraps(command):
        for at in range(1, len(command.words[:_WORDS])):
            yield Command(command.words[at:], command.plain)
        for word in command.words[1:_WORDS]:
            if any(c in word.text for c in " ;|&\t\n") and word.known:
                for inner in parsed(word.text).commands:
                    yield from within(inner)


def _wraps(command: Command) -> bool:
    return bool(command.words) and (not command.words[0].known or _name(command.words[0]) in _WRAPPERS)


def opens(command: Command) -> bool:
    """Whether it runs what cannot be read from it: a shell that is given its commands in another way."""
    words = command.words
    if not words or not words[0].known:
        return True
    if not _wraps(command):
        return False
    given = [word.text for word in words[1:] if word.known and any(c in word.text for c in " ;|&\t\n")]
    return (
        len(words) > _WORDS
        or (_name(words[0]) in _SHELLS and any(not word.known for word in words[1:]))
        or any(not parsed(text).understood or any(map(opens, parsed(text).commands)) for text in given)
    )


def _glob(pattern: str) -> Test:
    return re.compile(fnmatch.translate(pattern)).match


class ShellPattern:
    """A pattern of one command: words, with globs; a ``*`` at the end stands for any number of words."""

    def __init__(self, pattern: str) -> None:
        words = pattern.split()
        self._rest = bool(words) and words[-1] == "*"
        fixed = words[:-1] if self._rest else words
        self._tests = [_glob(word) for word in fixed]
        first = fixed[0] if fixed else "*"
        self.key = None if re.search(r"[*?\[]", first) else first
        """The command that it is about, where it names one."""

    def surely(self, command: Command) -> bool:
        """Whether it means this command, whatever variables and files are."""
        if not command.plain or not self._fits_length(command.words) or not command.words:
            return False
        # What is not known may become several words, or none: it may stand only where any number may.
        named = command.words[: max(1, len(self._tests))]
        return all(word.known for word in named) and all(
            test(word.text) for test, word in zip(self._tests, named, strict=False)
        )

    def perhaps(self, command: Command) -> bool:
        """Whether it may mean this command, or one that it runs."""
        return opens(command) or any(self._may(inner.words) for inner in within(command))

    def _may(self, words: Sequence[Word]) -> bool:
        if any(not word.known for word in words):
            # One word may become several, or none: compare up to the first that is not known.
            count = next(at for at, word in enumerate(words) if not word.known)
            return all(self._test(at, word) for at, word in enumerate(words[: min(count, len(self._tests))]))
        return self._fits_length(words) and all(self._test(at, words[at]) for at in range(len(self._tests)))

    def _test(self, at: int, word: Word) -> bool:
        return bool(self._tests[at](word.text) or (at == 0 and self._tests[at](_name(word))))

    def _fits_length(self, words: Sequence[Word]) -> bool:
        return len(words) >= len(self._tests) if self._rest else len(words) == len(self._tests)


class TextPattern:
    """A pattern of a plain text."""

    def __init__(self, pattern: str) -> None:
        self._test, self._folded = _glob(pattern), _glob(pattern.casefold())

    def surely(self, text: str) -> bool:
        """Whether it means this text."""
        return bool(self._test(text))

    def perhaps(self, text: str) -> bool:
        """Whether it means it if case does not count."""
        return bool(self._folded(text.casefold()))


@define
class ArgumentPattern:
    """A pattern in parentheses. What it is a pattern of depends on the tool, and is compiled when that is known."""

    text: str
    root: str
    _shell: ShellPattern | None = field(default=None, init=False)
    _path: PathPattern | None = field(default=None, init=False)
    _plain: TextPattern | None = field(default=None, init=False)

    @property
    def shell(self) -> ShellPattern:
        """As one of commands."""
        if self._shell is None:
            self._shell = ShellPattern(self.text)
        return self._shell

    @property
    def path(self) -> PathPattern:
        """As one of paths."""
        if self._path is None:
            self._path = PathPattern(self.text, self.root)
        return self._path

    @property
    def plain(self) -> TextPattern:
        """As one of texts."""
        if self._plain is None:
            self._plain = TextPattern(self.text)
        return self._plain
