"""The values that everything speaks of: messages, pages, memories, tools.

All are frozen attrs values. Raw data is parsed into them once, at the edge, by a format.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import attrs
from attrs import field, frozen

from lamina.errors import FormatError

if TYPE_CHECKING:
    from lamina.outputs import Output
    from lamina.protocols import Decision

Role = Literal["system", "user", "assistant", "tool"]
"""Who speaks. A ``tool`` message holds tool results and nothing else."""

ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool")

Extra = Mapping[str, Mapping[str, Any]]
"""Members of a source object that the model has no word for, by the family of formats that they belong to.

``{"openai": {"name": "bob"}}``: a format fills in its own family when it parses, gives its own family back when it
renders, and leaves the others alone.
"""


_NO_EXTRA: Extra = {}  # one for all: most parts have none, and a session has many parts


def _arguments(value: Any) -> Any:
    """JSON text of what a program gives as an object; what is neither is refused when the message is added."""
    if not isinstance(value, Mapping):
        return value
    try:
        return json.dumps(dict(value), ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise FormatError(f"arguments: no JSON object can be made of them: {error}") from error


@frozen
class Text:
    """Plain text."""

    text: str
    extra: Extra = field(default=_NO_EXTRA, hash=False, kw_only=True)


@frozen
class ToolCall:
    """One use of a tool by the model."""

    id: str
    """Unique among the calls of one message; recordings reuse ids across messages."""
    name: str
    arguments: str = field(converter=_arguments)
    """The arguments as recorded: JSON text of an object (not always valid in recordings). A mapping becomes that."""
    extra: Extra = field(default=_NO_EXTRA, hash=False, kw_only=True)


@frozen
class Image:
    """A picture; never shortened, only kept or paged out with its page."""

    media_type: str
    data: str
    """Base64 data, or a URL when ``media_type`` is ``url``."""
    extra: Extra = field(default=_NO_EXTRA, hash=False, kw_only=True)


@frozen
class Reasoning:
    """A model's reasoning block; it is whole or gone, because providers sign it."""

    text: str
    signature: str | None = None
    redacted: bool = False
    """Whether ``text`` is the provider's encrypted data."""
    extra: Extra = field(default=_NO_EXTRA, hash=False, kw_only=True)
    hidden_tokens: int = field(default=0, kw_only=True, eq=False)
    """What is thought to be charged for reasoning that ``signature`` carries and ``text`` does not show; counted."""


@frozen
class Opaque:
    """A part that lamina does not understand and therefore carries unchanged."""

    kind: str
    """The family of formats that it belongs to, a colon, and its type there."""
    data: Mapping[str, Any] = field(hash=False)
    text: str = field(default="", kw_only=True, eq=False)
    """What it says, where its format knows: recalled, and what stands for it in another format."""
    pages: int | None = field(default=None, kw_only=True, eq=False)
    """``None``: it costs what its JSON text costs. A number: it is a document, which costs its ``text``, and for each
    of so many pages what a page of a PDF costs, however long its base64 is."""


@frozen
class ToolResult:
    """What a call gave back."""

    call_id: str
    text: str
    """All texts of it, joined by line feeds: what compressors shorten."""
    error: bool = False
    images: tuple[Image, ...] = ()
    blocks: tuple[Text | Image | Opaque, ...] = field(default=(), kw_only=True)
    """The content block by block, where it is more than a text and images behind it; then these are what is in it."""
    extra: Extra = field(default=_NO_EXTRA, hash=False, kw_only=True)

    @classmethod
    def of(
        cls, call_id: str, blocks: Iterable[Text | Image | Opaque], error: bool = False, extra: Extra | None = None
    ) -> ToolResult:
        """A result with this content, block by block."""
        content = tuple(blocks)
        text = "\n".join([block.text for block in content if isinstance(block, Text)])
        images = tuple([block for block in content if isinstance(block, Image)])
        plain = images and content in (images, (Text(text), *images))
        return cls(call_id, text, error, images, blocks=() if plain else content, extra=extra or _NO_EXTRA)

    def shortened(self, text: str) -> ToolResult:
        """The result with another text: what is no text stays, behind it."""
        kept = tuple([block for block in self.blocks if not isinstance(block, Text)])
        blocks = (Text(text), *kept) if kept else ()
        return ToolResult(self.call_id, text, self.error, self.images, blocks=blocks, extra=self.extra)

    @property
    def others(self) -> tuple[Opaque, ...]:
        """What is neither text nor image: documents, search results, references."""
        return tuple([block for block in self.blocks if isinstance(block, Opaque)])


Part = Text | ToolCall | ToolResult | Image | Reasoning | Opaque
_WITH_TEXT = (Text, ToolResult)  # a union would be made anew at each test


@frozen
class Message:
    """What one side said at once: a role and its parts. Never changed once logged."""

    role: Role
    parts: tuple[Part, ...]
    group: str | None = None
    """Consecutive assistant messages of one group are one message of the model, recorded in pieces."""
    created_s: float | None = None
    """Unix time in seconds, where the source says it."""
    extra: Extra = field(default=_NO_EXTRA, hash=False, kw_only=True)

    @property
    def text(self) -> str:
        """The text parts (and, in a tool message, the results' texts), joined by line feeds."""
        return "\n".join([p.text for p in self.parts if isinstance(p, _WITH_TEXT)])

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls, in order."""
        return tuple([p for p in self.parts if isinstance(p, ToolCall)])  # a list costs half of a generator

    @property
    def results(self) -> tuple[ToolResult, ...]:
        """The tool results, in order."""
        return tuple([p for p in self.parts if isinstance(p, ToolResult)])


def system(text: str) -> Message:
    """A system message with this text."""
    return Message("system", (Text(text),))


def user(text: str) -> Message:
    """A user message with this text."""
    return Message("user", (Text(text),))


def assistant(text: str = "", *calls: ToolCall) -> Message:
    """An assistant message with this text, if any, and these tool calls."""
    return Message("assistant", (*((Text(text),) if text else ()), *calls))


def tool_result(call_id: str, text: str, *, error: bool = False) -> Message:
    """A tool message that answers the call of this id."""
    return Message("tool", (ToolResult(call_id, text, error),))


@frozen(eq=False)
class Page:
    """What is resident or not as a whole: one message, or an assistant message with all its tool results.

    A page is compared by identity: when a result joins it, a new ``Page`` of the same id takes its place,
    so a strategy may cache what it derives in a ``WeakKeyDictionary`` keyed by page.
    """

    id: int
    """Unique in the session from 1 on, in log order; never reused, shared by forks."""
    messages: tuple[Message, ...]
    """As a model is sent them: pieces of one message joined, each call followed by exactly one result
    message (a missing result reads ``[no result]``; of repeated results the last stands)."""
    message_tokens: tuple[int, ...]
    """Tokens of each of ``messages`` by the session's counter, frames included."""
    pinned: bool = False
    """Whether the page must stand verbatim in every window."""
    part_tokens: tuple[tuple[int, ...], ...] = ()
    """Tokens of each part of each of ``messages``, frames of calls included, frames of messages not."""
    tokens: int = field(init=False)
    """Sum of ``message_tokens``."""

    @tokens.default
    def _sum(self) -> int:
        return sum(self.message_tokens)

    @property
    def role(self) -> Role:
        """The role of the page's first message."""
        return self.messages[0].role

    @property
    def text(self) -> str:
        """All that the page says: texts, results, and calls as ``name arguments``, joined by line feeds."""
        said: list[str] = []
        for message in self.messages:
            for part in message.parts:
                match part:
                    case Text(text):
                        said.append(text)
                    case ToolResult(text=text):
                        if text or not part.blocks:
                            said.append(text)
                        said += [block.text for block in part.others if block.text]
                    case Opaque(text=text) if text:
                        said.append(text)
                    case ToolCall(name=name, arguments=arguments):
                        said.append(f"{name} {arguments}")
                    case _:
                        pass
        return "\n".join(said)


MemoryKind = Literal["episodic", "semantic", "procedural"]


@frozen
class Memory:
    """A record that outlives the window."""

    id: str
    """Unique in its namespace; a page's memory is ``SESSION#PAGE``."""
    text: str
    """What is remembered. Empty in a record that points at a page: recall reads the page from the log."""
    kind: MemoryKind = "semantic"
    tags: tuple[str, ...] = ()
    importance: float = 0.5
    """0 (trivia) to 1 (never forget)."""
    created_s: float = 0.0
    used_s: float = 0.0
    """When it was last recalled, or created; Unix seconds."""
    uses: int = 0
    """How often it was recalled."""
    provenance: tuple[str, ...] = ()
    """Ids of the pages (``SESSION#PAGE``) and memories that it comes from."""
    revision: int = 1
    author: str = ""
    """Who said it; of a page, its role. Empty where nobody is known."""
    thread: str = ""
    """The conversation that it is from; of a page, its session. Empty for a memory that stands by itself."""
    position: int | None = None
    """Its place in the thread's order; of a page, its id. Neighbours in a thread explain each other."""
    expires_s: float | None = None
    """From when on it is not recalled any more; Unix seconds."""
    slot: str = ""
    """What it is the value of (``user.city``): a later memory of the same slot may supersede it."""
    superseded_by: str = ""
    """Id of the memory that took its place; then it is found only where that is asked for."""

    def stands(self, now_s: float) -> bool:
        """Whether it is neither expired nor superseded."""
        return not self.superseded_by and (self.expires_s is None or now_s < self.expires_s)


def _texts(given: Iterable[str]) -> tuple[str, ...]:
    return tuple(given)


@frozen
class Draft:
    """A memory that is to be written."""

    text: str
    kind: MemoryKind = "semantic"
    tags: tuple[str, ...] = field(default=(), converter=_texts)
    importance: float = 0.5
    provenance: tuple[str, ...] = field(default=(), converter=_texts)
    author: str = ""
    thread: str = ""
    position: int | None = None
    created_s: float | None = None
    """When it was said, Unix seconds; now where not given."""
    expires_s: float | None = None
    slot: str = ""


@frozen
class Hit:
    """One recalled memory."""

    memory: Memory
    score: float
    """Higher is better; comparable within one recall only."""
    tier: str
    """The name of the tier that held it."""
    scores: Mapping[str, float] = attrs.field(factory=dict, hash=False)
    """The parts that ``score`` was made of, by name."""
    session: str | None = None
    page: int | None = None
    """The page that the memory points at, where it points at one."""
    same: tuple[str, ...] = ()
    """Ids of memories that say nearly the same and share its place."""


@frozen
class Call:
    """One use of a tool, as the registry is asked to run it."""

    tool: str
    arguments: Mapping[str, Any] = field(factory=dict, hash=False)
    id: str = ""
    session: str | None = None
    """The session that the call is made for; tools such as ``expand`` read it."""


CallState = Literal["done", "failed", "refused", "cancelled", "timed out"]


@frozen
class CallResult:
    """What a call came to. Errors of the tool are results too: the model reads them."""

    call: Call
    text: str
    """All of it as text."""
    error: bool = False
    elapsed_s: float = 0.0
    """From the first try on; waiting for a grant, a turn or a resource does not count."""
    output: Output | None = field(default=None, hash=False, repr=False)
    """What the tool gave: parts, a structured value, a failure; ``None`` where it never ran."""
    state: CallState = "done"
    tries: int = 1
    """How often the tool was run for it: 0 where another call in flight was identical, or where it was refused."""
    grant: Decision | None = field(default=None, repr=False)
    """Who allowed or denied it, by which rule."""
