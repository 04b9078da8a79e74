"""Recorded sessions, as they are fed to a context and as they are measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from lamina.model import Message
from lamina.protocols import ParseRequest, RenderRequest

if TYPE_CHECKING:
    from lamina import Context

FORM = "openai"
"""The format in which windows are measured and emitted."""


@frozen
class Recording:
    """One recorded session."""

    id: str
    source: str
    """The file that it came from."""
    messages: tuple[Message, ...]
    """In the order in which they were recorded."""


@frozen
class Steps:
    """A recording in OpenAI form, and where windows are asked for."""

    history: Sequence[Mapping[str, Any]]
    """All messages; results stand right after their call, whenever they came."""
    before: Mapping[int, int] = field(factory=dict)
    """Index of a recorded message to the index in ``history`` of the assistant message that it begins: the window
    is asked for before it is fed."""
    pages: Sequence[int] = ()
    """The id of the page that each of ``history`` belongs to."""


def read(context: Context, files: Iterable[str], wanted: Sequence[str] = ()) -> list[Recording]:
    """The sessions in the files, in their order; one with nothing said is left out.

    Args:
        context: Its formats read the files.
        files: Paths.
        wanted: Ids or glob patterns (``tau/*``); all sessions if empty.

    Raises:
        FormatError: A file cannot be read; says where.
        OSError: It is not there, or not readable.
    """
    found = []
    for file in files:
        data = Path(file).read_bytes()
        form = context.formats[context.detect(data, file)]
        sessions: dict[str, list[Message]] = {}
        unnamed: str | None = None
        for parsed in form.parse(ParseRequest(data=data, source=file)):
            if parsed.session is not None:
                unnamed = unnamed or parsed.session
            # What names no session belongs to the file's first one, as on import.
            name = parsed.session or unnamed or Path(file).stem
            sessions.setdefault(name, []).extend(parsed.messages)
        found += [Recording(name, file, tuple(said)) for name, said in sessions.items() if said]
    if not wanted:
        return found
    return [r for r in found if any(r.id == pattern or fnmatchcase(r.id, pattern) for pattern in wanted)]


async def steps_of(context: Context, recording: Recording, scratch: str) -> Steps:
    """Find out where the assistant speaks.

    The kernel says which messages make a page: pieces of one message of the model are one step, even where results
    were recorded between them.

    Args:
        context: Keeps nothing on disk.
        recording: What was said.
        scratch: The id of a session that is made for this.
    """
    session = await context.session(scratch)
    pages = await session.add(*recording.messages)
    form = await context.format(FORM)
    history: list[dict[str, Any]] = []
    ids: list[int] = []
    heads: dict[int, int] = {}
    for page in session.pages:
        said = form.render(RenderRequest(messages=page.messages, piece=True))
        # The first message of all cannot be a step: nothing stands before it.
        if history and said and said[0]["role"] == "assistant":
            heads[page.id] = len(history)
        history += said
        ids += [page.id] * len(said)
    before: dict[int, int] = {}
    for index, page_id in enumerate(pages):
        if page_id in heads:
            before[index] = heads.pop(page_id)
    return Steps(history, before, ids)
