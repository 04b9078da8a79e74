"""How a call went, from what its result says: harnesses have many words for it, and some have none."""

from __future__ import annotations

import json
import re

from attrs import frozen

from lamina.model import ToolResult

LINE = 100
"""Characters of what a result says, and of a command."""
_ENDS = 300
"""Characters at a result's beginning and end in which a harness says how it went."""
_SHORT = 600
"""Characters; a longer result that begins with an error is a text about errors, unless its form says otherwise."""
_LAST = 4000
"""Characters of a result's end in which builds and tests sum up."""
_EXIT = re.compile(
    r"(?:\bexit(?:ed)?(?: with)?[ _-]?(?:exit )?(?:code|status)|\breturn ?code)\W{0,4}(?:of |was |is )?(?P<code>-?\d{1,5})\b",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"\s*(?:<\w+>)?(?:Error: )?(?:The user (?:doesn['’]t want to proceed|denied this operation|rejected|declined)"
    r"|(?:Tool use |Operation )?(?:rejected|denied|declined|cancelled) by (?:the )?user|User (?:rejected|denied|declined|cancelled)"
    r"|Permission (?:to use|for this)\b|exec command rejected by user|patch rejected by user|\[Operation Cancelled\])",
    re.IGNORECASE,
)
_TAGGED = re.compile(r"\A\s*<(?P<name>\w+)>(?P<inside>.*)</(?P=name)>\s*\Z", re.DOTALL)
_REASON = re.compile(
    r"(?:the user said|following feedback|with (?:the )?reason):\s*(?:<feedback>)?\s*(?P<reason>[^\n]+)", re.IGNORECASE
)
_ERROR_FORM = re.compile(
    r"\s*(?:<(?:tool_use_)?error>|\{\s*\"errors?\"\s*:(?!\s*(?:null|false|\"\"|\[\s*\]|\{\s*\}|0\b))"
    r"|\{[^{}\[\]]{0,200}?\"(?:success|ok)\"\s*:\s*false\b|\{[^{}\[\]]{0,200}?\"status\"\s*:\s*\"(?:error|failed|failure)\""
    r"|\{[^{}\[\]]{0,200}?\"is_?error\"\s*:\s*true|Traceback \(most recent call last\))",
    re.IGNORECASE,
)
"""What only an error begins with, however long it is."""
_ERROR_WORDS = re.compile(
    r"\s*(?:errors?\s*[:!](?!\s*(?:0\b|\(?none\)?|null|no\b))|error (?:executing|calling|running|reading|while|invoking|processing)\b"
    r"|fatal:|[\w.]{0,60}(?:Error|Exception)\b\s*[:(](?!\s*(?:0\b|\(?none\)?|null|no\b))|failed to\b|failed:(?!\s*(?:0\b|none))|failure:|command failed|could not\b"
    r"|cannot\b|can['’]t\b|unable to\b|no such file|permission denied|invalid\b|unknown (?:command|tool|option)|command not found"
    r"|(?:file|string to replace|path|old_string|no match)\b.{0,80}\b(?:does not exist|not found|was not found|did not match)"
    r"|[\w/.-]{1,80}: (?:line \d+: )?.{0,80}(?:command not found|no such file or directory|permission denied))",
    re.IGNORECASE,
)
"""What a short result begins with that tells of an error."""
_BAD_SUM = re.compile(
    r"\b[1-9]\d{0,6} (?:failed|failing|failures?|errors?)\b(?! (?:fixed|were fixed|\(?0))|\b(?:failed|failures|errors)[:=] ?[1-9]"
    r"|^test result: FAILED",
    re.MULTILINE,
)
"""What builds and tests sum up where something is wrong; ``0 failed`` and ``failed: 0`` are none of it."""
_GOOD_SUM = re.compile(
    r"\b[1-9]\d{0,6} (?:passed|passing)\b|^test result: ok|^OK\b|\b0 (?:failed|errors?|failures)\b", re.MULTILINE
)
_BAD_SIGN = re.compile(
    r"^(?:FAILED\b|FAIL\b|--- FAIL|BUILD FAILED|E   |error(?:\[E\d+\])?:|npm (?:ERR!|error)|make(?:\[\d+\])?: \*\*\*|panic:|fatal:"
    r"|Traceback \(most)|\berror TS\d+|\bpanicked at\b|: command not found$",
    re.MULTILINE,
)
"""What they say where they come to no sum."""
_SETTLED = re.compile(r"[1-9]\d* (?:errors? )?\([1-9]\d* fixed, 0 remaining\)|\b0 remaining\b")
_TELLS = re.compile(
    r"\b(?:\d+ (?:passed|failed|failing|passing|errors?|warnings?|tests?)|passed|failed|FAILED|error|\w*Error|success\w*|warning"
    r"|not found|denied|OK)\b"
)
_FRAME = re.compile(
    r"(?:Exit code:? -?\d+|Exit Code: 0|Chunk ID: .*|Wall time: .*|Process exited with code -?\d+|Original token count: .*|Output:"
    r"|Duration: .*|Error: \(none\)|Signal: (?:\(none\)|0)|Background PIDs: .*|Process Group PGID: .*|\(Open file: .*|bash-\$"
    r"|\(Current directory: .*|\[(?:The command|Command finished|Current working|Python Interp|Jupyter).*|</?\w+>"
    r"|<returncode>-?\d+</returncode>)$"
)
"""A line of a harness around what a command printed."""


@frozen
class Outcome:
    """How a call went."""

    failed: bool
    says: str
    """The line that tells, shortened to a line's length; empty where nobody asks: of a success that builds nothing."""
    refused: bool = False
    """Whether a person did not want it."""


def outcome(result: ToolResult, *, command: bool = False, builds: bool = False, reads: bool = False) -> Outcome:
    """How a call went; reads some thousands of characters of its result, whatever its length.

    Args:
        result: Its result.
        command: Whether it ran a command: then an exit code decides.
        builds: Whether the command builds or tests: then its sums count where no exit code is given.
        reads: Whether it shows a file: then what a long result says is the file's.
    """
    text, code = _unwrapped(result.text) if command else (result.text, None)
    head = text[: 2 * _SHORT]
    if _REFUSED.match(head) and (result.error or len(text) < 4 * _SHORT):
        reason = _REASON.search(head)
        return Outcome(True, short("the user refused" + (f": {reason['reason']}" if reason else "")), refused=True)
    if result.error or not (reads and len(text) > _SHORT):
        failed = result.error or _went_wrong(text, head, code, command=command, builds=builds)
    else:
        failed = text.startswith("<tool_use_error>")
    return Outcome(failed, telling(text, failed=failed) if failed or builds else "")


def _went_wrong(text: str, head: str, code: str | None, *, command: bool, builds: bool) -> bool:
    last = text[-_LAST:]
    if command:
        code = code or _exit_code(text)
        if code is not None:
            return int(code) != 0
        if builds and (decided := _by_sums(last)) is not None:
            return decided
        if "Traceback (most recent call last)" in text[-_SHORT:]:
            return True
    return _ERROR_FORM.match(head) is not None or (len(text) <= _SHORT and _ERROR_WORDS.match(head) is not None)


def _by_sums(last: str) -> bool | None:
    """Whether a build or test failed, from what it sums up at its end, or else from its signs; ``None`` where it is silent."""
    if _SETTLED.search(last):
        return False
    if _BAD_SUM.search(last):
        return True
    if _GOOD_SUM.search(last[-_ENDS:]):
        return False
    return True if _BAD_SIGN.search(last) else None


def _exit_code(text: str) -> str | None:
    """What a harness says at the beginning of a command's output, or else at its end."""
    found = _EXIT.search(text[:_ENDS])
    if found is not None:
        return found["code"]
    codes = [found["code"] for found in _EXIT.finditer(text[-_ENDS:])]
    return codes[-1] if codes else None


def _unwrapped(says: str) -> tuple[str, str | None]:
    """What a command printed, and its exit code, of a result that holds both as an object."""
    if not says[:40].lstrip().startswith('{"'):
        return says, None
    if not any(
        name in says[:_ENDS] + says[-_ENDS:] for name in ('"exit_code"', '"exitCode"', '"returncode"', '"metadata"')
    ):
        return says, None
    try:
        value = json.loads(says)
    except (ValueError, RecursionError):
        return says, None
    held = {**value, **value["metadata"]} if isinstance(value.get("metadata"), dict) else value
    code = next((held[key] for key in ("exit_code", "exitCode", "returncode") if isinstance(held.get(key), int)), None)
    printed = [held[key] for key in ("output", "stdout", "stderr") if isinstance(held.get(key), str)]
    return ("\n".join(printed) if printed else says), (None if code is None else str(int(code)))


_RULED = re.compile(r"^[=_*~#-]{4,}\s*|\s*[=_*~#-]{4,}$")
"""What a runner puts around its sum, so that it stands in the middle of a line."""


def telling(says: str, *, failed: bool = False) -> str:
    """The line of a result that tells how it went, shortened to a line's length.

    Args:
        says: The result.
        failed: Whether it failed: then the sum that says so tells more than what came after it.
    """
    says = _TAGGED.sub(r"\g<inside>", says) if len(says) <= _LAST else says
    lines = [stripped for line in says[-_LAST:].splitlines() if (stripped := line.strip())]
    own = [line for line in lines if not _FRAME.match(line)]
    if not own:
        return short(lines[-1]) if lines else ""
    first = next(
        (line for line in says[:_LAST].splitlines() if line.strip() and not _FRAME.match(line.strip())), ""
    ).strip()
    if _ERROR_WORDS.match(first) or (_ERROR_FORM.match(first) and not first.startswith("Traceback")):
        return short(first if len(own) < 2 or len(first) > 20 else f"{first} {own[-1]}")
    found = [line for line in own if failed and _BAD_SUM.search(line)]
    found = found or [line for line in own[-12:] if _TELLS.search(line)]
    return short(found[-1] if found else own[-1])


def short(text: str) -> str:
    """The text on one line, its beginning where it is too long."""
    text = " ".join(_RULED.sub("", text[: 20 * LINE].strip()).split())
    return text if len(text) <= LINE else text[: LINE - 1] + "…"
