"""Plain text in two layers that invert (line numbers once per run, equal lines once), and what only cleans it."""

from __future__ import annotations

import json
import re

from lamina_compressor_structural._values import joins

_GUTTER = re.compile(r"( *)(\d{1,9})(→|\t|: |:|\| | \| )")
_MIN_RUN = 3
_MARK = re.compile(r"\[lines (\d+)–(\d+)(?:, gutter (\d+) (\"(?:[^\"\\]|\\.)+\"))?\]")
_LIKE_MARK = re.compile(r"\\*\[lines \d")
_TIMES = re.compile(r"(.*) \[×(\d+)\]", re.DOTALL)
_READ_WIDTH, _READ_SEPARATOR = 6, "→"
"""What needs no mention: the gutter that file readers of coding agents write."""

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z]|[=>78cDEHM])")
_TIME = re.compile(
    r"\s*\[?(?:\d{4}[-/]\d\d[-/]\d\d[T ])?\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]?"
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d"
)
_DIGITS = re.compile(r"\d+(?:[.,:]\d+)*")
_BAR = re.compile(r"[█▉▊▋▌▍▎▏░▒▓]|[━╸╺]{2,}|[#=\-]{4,}>?|\[[#=. >\-]{4,}\]")
_DRAWN = re.compile(r"[#=>.\-█▉▊▋▌▍▎▏━╸╺░▒▓\[\]|/\\\s]+")


# ------------------------------------------------------------------------------------- lossless


def unpad(text: str) -> str:
    """Numbered lines, as file readers write them, without the blanks before their numbers."""
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        end, width, separator = _run(lines, at)
        if end - at >= _MIN_RUN and (width, separator) == (_READ_WIDTH, _READ_SEPARATOR):
            lines[at:end] = [line.lstrip(" ") for line in lines[at:end]]
        at = max(end, at + 1)
    return "\n".join(lines)


def pad(text: str) -> str:
    """What :func:`unpad` was given, where it was all in the usual form."""
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        end, width, separator = _run(lines, at)
        if end - at >= _MIN_RUN and not width and separator == _READ_SEPARATOR:
            lines[at:end] = [" " * (_READ_WIDTH - line.index(separator)) + line for line in lines[at:end]]
        at = max(end, at + 1)
    return "\n".join(lines)


def number_once(text: str, *, folded: bool = True) -> str:
    """Line numbers at the lines' starts, where they count up: the first and the last, and the bare lines.

    With ``folded`` false the numbers stay, and only lines that look like the marks of this form are escaped.
    """
    lines = text.split("\n")
    made: list[str] = []
    at = 0
    while at < len(lines):
        end, width, separator = _run(lines, at)
        if folded and end - at >= _MIN_RUN:
            cut = [len(separator) + max(width, len(str(number))) for number in _numbers(lines, at, end)]
            first = int(lines[at][: cut[0] - len(separator)])
            usual = (width, separator) == (_READ_WIDTH, _READ_SEPARATOR)
            how = "" if usual else f", gutter {width} {json.dumps(separator, ensure_ascii=False)}"
            made.append(f"[lines {first}–{first + end - at - 1}{how}]")
            made += [line[c:] for line, c in zip(lines[at:end], cut, strict=True)]
            at = end
        else:
            made.append("\\" + lines[at] if _LIKE_MARK.match(lines[at]) else lines[at])
            at += 1
    return "\n".join(made)


def _numbers(lines: list[str], at: int, end: int) -> range:
    found = _GUTTER.match(lines[at])
    first = int(found.group(2)) if found else 0
    return range(first, first + end - at)


def _run(lines: list[str], at: int) -> tuple[int, int, str]:
    """Where the run of numbered lines that begins here ends, the width of its numbers, and what follows them."""
    found = _GUTTER.match(lines[at])
    if not found or (found.group(2)[0] == "0" and found.group(2) != "0"):
        return at, 0, ""
    number, separator = int(found.group(2)), found.group(3)
    width = len(found.group(1)) + len(found.group(2)) if found.group(1) else 0
    # Aligned numbers are as wide as the widest; the others begin the line.
    end = at
    while end < len(lines):
        head = f"{number + end - at:>{width}}{separator}" if width else f"{number + end - at}{separator}"
        if not lines[end].startswith(head) or joins(lines[end][len(head) :]):
            break
        end += 1
    return end, width, separator


def number_each(text: str) -> str:
    """What :func:`number_once` was given."""
    lines = text.split("\n")
    made: list[str] = []
    at = 0
    while at < len(lines):
        mark = _MARK.fullmatch(lines[at])
        if mark:
            first, last = int(mark.group(1)), int(mark.group(2))
            width, separator = _READ_WIDTH, _READ_SEPARATOR
            if mark.group(3):
                width, separator = int(mark.group(3)), json.loads(mark.group(4))
            body = lines[at + 1 : at + 2 + last - first]
            if len(body) != last - first + 1:
                raise ValueError(f"{lines[at]} is followed by {len(body)} lines")
            made += [f"{first + i:>{width}}{separator}{line}" for i, line in enumerate(body)]
            at += 1 + len(body)
        else:
            made.append(lines[at][1:] if _LIKE_MARK.match(lines[at]) and lines[at][0] == "\\" else lines[at])
            at += 1
    return "\n".join(made)


def fold(text: str) -> str:
    """Equal lines that follow one another (blank ones too) as one with their number."""
    made: list[str] = []
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        end = at + 1
        while end < len(lines) and lines[end] == lines[at]:
            end += 1
        if (len(lines[at]) + 1) * (end - at - 1) > 8:
            made.append(f"{lines[at]} [×{end - at}]")
        elif _TIMES.fullmatch(lines[at]):
            made += [f"{lines[at]} [×1]"] * (end - at)
        else:
            made += lines[at:end]
        at = end
    return "\n".join(made)


def unfold(text: str) -> str:
    """What :func:`fold` was given."""
    made: list[str] = []
    for line in text.split("\n"):
        times = _TIMES.fullmatch(line)
        made += [times.group(1)] * int(times.group(2)) if times else [line]
    return "\n".join(made)


# ------------------------------------------------------------------------------------- lossy


def clean(text: str) -> str:
    """The text without colours, overwritten states, repeats that differ in the time only, and runs of blank lines."""
    if "\x1b" in text:
        text = _ANSI.sub(_unless_joining, text)
    if "\r" in text:
        text = "\n".join(map(_last_state, text.split("\n")))
    lines: list[str] = []
    keys: list[str] = []
    folded: list[tuple[int, str]] = []  # how many lines each stands for, and the last one's time
    for line in text.split("\n"):
        line = line.rstrip(" \t") if not line.isspace() else ""
        progress = _progress(line)
        time = _TIME.match(line)
        key = progress or (line[time.end() :] if time and time.end() < len(line) else line)
        if lines and key == keys[-1] and (progress or (time and folded[-1][1])):
            lines[-1] = line if progress else lines[-1]
            folded[-1] = (folded[-1][0] + 1, time.group().strip() if time else "")
        elif line or not lines or lines[-1]:
            lines.append(line)
            keys.append(key)
            folded.append((1, time.group().strip() if time and not progress else ""))
    return "\n".join(
        f"{line} [×{n} until {until}]" if n > 1 and until else line
        for line, (n, until) in zip(lines, folded, strict=True)
    )


def _unless_joining(match: re.Match[str]) -> str:
    return match.group() if joins(match.string[match.end() : match.end() + 1]) else ""


def _last_state(line: str) -> str:
    """What a terminal shows of a line that returned to its start; a carriage return at the end is part of it."""
    body, end = (line[:-1], "\r") if line.endswith("\r") else (line, "")
    states = [state for state in body.split("\r") if state.strip()]
    return (states[-1] if states else "") + end


def _progress(line: str) -> str:
    """The same text for all states of one progress bar; empty for other lines."""
    # Without a bar it may be a table of percentages, whose lines all count.
    if "%" not in line or len(line) > 300 or not _BAR.search(line):
        return ""
    return _DRAWN.sub(" ", _DIGITS.sub("0", line)).strip()
