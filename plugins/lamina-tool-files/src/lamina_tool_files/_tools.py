"""The tools, and the source that has them."""

from __future__ import annotations

import asyncio
import fnmatch
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from attrs import evolve

from lamina.errors import CallFailedError
from lamina.protocols import Effects, Tool
from lamina.tools import Pattern, function_tool
from lamina_tool_files._confined import Confined

if TYPE_CHECKING:
    from lamina_tool_files import FilesSettings

Path = Annotated[str, {"format": "path", "minLength": 1}, "Relative to the shared folder."]
_READS = Effects(read_only=True)
_WRITES = Effects(destructive=True, idempotent=True)


class Files:
    """A source of tools that never changes."""

    def __init__(self, settings: FilesSettings) -> None:
        self._settings, self._files = settings, Confined(settings.root)
        self._lock = threading.Lock()
        reading: list[tuple[Callable[..., Any], Effects]] = [(self.read_file, _READS), (self.find_files, _READS), (self.search_files, _READS)]  # fmt: skip
        writing: list[tuple[Callable[..., Any], Effects]] = [(self.write_file, _WRITES), (self.edit_file, Effects(destructive=True))]  # fmt: skip
        self._tools = [self._tool(f, effects) for f, effects in (*reading, *(writing if settings.write else ()))]

    def _tool(self, function: Callable[..., Any], effects: Effects) -> Tool:
        made = function_tool(function)
        made.spec = evolve(made.spec, name=self._settings.prefix + made.spec.name, effects=effects, tags=("files",))
        return made

    async def tools(self) -> Sequence[Tool]:
        """The tools."""
        return self._tools

    async def changed(self) -> None:
        """Never."""
        await asyncio.Event().wait()

    # ------------------------------------------------------------- tools

    def read_file(self, path: Path, start: Annotated[int, {"minimum": 1}] = 1, lines: Annotated[int | None, {"minimum": 1}] = None) -> str:  # fmt: skip
        """Read a text file, or a range of its lines.

        Args:
            path: The file, relative to the shared folder.
            start: The first line.
            lines: How many lines.
        """
        text = self._text(path)
        all_lines = text.splitlines(keepends=True)
        most = min(lines or self._settings.max_lines, self._settings.max_lines)
        shown = all_lines[start - 1 : start - 1 + most]
        if not shown and all_lines:
            raise CallFailedError(f"{path} has {len(all_lines)} lines", type="NoSuchLine", hint="start earlier")
        last = start - 1 + len(shown)
        rest = (
            f"[lines {start} to {last} of {len(all_lines)}; go on with start {last + 1}]\n"
            if last < len(all_lines)
            else ""
        )
        return rest + "".join(shown)

    def write_file(self, path: Path, text: str) -> str:
        """Write a text file whole, in place of what is there; folders are made where they lack."""
        data = text.encode("utf-8", "surrogatepass")
        if len(data) > self._settings.max_bytes:
            raise CallFailedError(f"{len(data)} bytes; at most {self._settings.max_bytes} are written", type="TooLarge")
        with self._lock:
            new = self._files.write(path, data)
        return f"{'made' if new else 'wrote'} {path}, {len(data)} bytes"

    def edit_file(self, path: Path, old: Annotated[str, {"minLength": 1}], new: str, times: Annotated[int, {"minimum": 1}] = 1) -> str:  # fmt: skip
        """Replace a piece of a text file by another, exactly.

        Args:
            path: The file, relative to the shared folder.
            old: What stands there, with its white space; enough of it to be found nowhere else.
            new: What is to stand there.
            times: How often it stands there, where that is more than once.
        """
        with self._lock:  # read, change, write: nobody comes between
            text = self._text(path)
            found = text.count(old)
            if found != times:
                hint = "read the file again" if not found else "give more of what stands around it, or times"
                raise CallFailedError(f"{path} holds it {found} times, not {times}", type="NoMatch", hint=hint)
            self._files.write(path, text.replace(old, new).encode("utf-8", "surrogateescape"))
        return f"replaced it {times} times in {path}" if times > 1 else f"replaced it in {path}"

    def find_files(self, pattern: str = "*") -> str:
        """List files by their path.

        Args:
            pattern: A glob of the whole path, such as src/*.py or *test*; * stands for any characters.
        """
        found = (path for path in self._files.walk() if _fits(path, pattern))
        return self._listed(found, f"no file is called like {pattern!r}")

    def search_files(self, text: Annotated[str, {"minLength": 1}], pattern: str = "*", regex: bool = False) -> str:
        """Find lines by what they hold, as path:number: line.

        Args:
            text: What to look for.
            pattern: A glob of the files' whole paths.
            regex: Whether the text is a regular expression.
        """
        try:
            search: Callable[[str], Any] = Pattern(text).search if regex else (lambda line: text in line)
        except ValueError as error:
            raise CallFailedError(f"{text!r} {error}", type="NoPattern") from None
        return self._listed(self._lines(search, pattern), f"no line holds {text!r}")

    # ------------------------------------------------------------- inside

    def _text(self, path: str) -> str:
        data = self._files.read(path, self._settings.max_bytes)
        if b"\0" in data[:8000]:
            raise CallFailedError(f"{path} is no text", type="Binary")
        return data.decode("utf-8", "surrogateescape")

    def _lines(self, search: Callable[[str], Any], pattern: str) -> Iterator[str]:
        for path in self._files.walk():
            if not _fits(path, pattern):
                continue
            try:
                text = self._text(path)
            except (CallFailedError, OSError):
                continue  # no text, too large, or gone
            for number, line in enumerate(text.splitlines(), 1):
                if search(line[:10_000]):
                    yield f"{path}:{number}: {line[:500].encode('utf-8', 'replace').decode()}"

    def _listed(self, found: Iterator[str], none: str) -> str:
        shown: list[str] = []
        for line in found:
            if len(shown) == self._settings.max_found:
                shown.append(f"[more than {self._settings.max_found}; ask more precisely]")
                break
            shown.append(line)
        return "\n".join(shown) or none


def _fits(path: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(path.rsplit("/", 1)[-1], pattern)
