"""Made pages, a reference plan request, and the arithmetic of windows, to test pagers and compressors with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal

from lamina.model import Message, Page, Text, ToolCall, ToolResult
from lamina.protocols import Digest, Entry, Excerpt, Note, PagedOut, PlanRequest, Shortened, Verbatim

FRAME_TOKENS = 4
"""What the frames of a message, a call and an excerpt cost in the reference count."""
STUB_TOKENS = 16
"""What a stub costs at most in reference requests."""

Offer = Callable[[Sequence[Page], Sequence[int]], Awaitable[Sequence[Shortened]]]


def reference_count(texts: Sequence[str]) -> list[int]:
    """One token for every four characters begun; O(n)."""
    return [-(-len(text) // 4) for text in texts]


def message_tokens(message: Message) -> int:
    """Tokens of a message by :func:`reference_count`, frames included."""
    texts: list[str] = []
    for part in message.parts:
        match part:
            case Text(text) | ToolResult(text=text):
                texts.append(text)
            case ToolCall(name=name, arguments=arguments):
                texts += [name, arguments]
            case _:
                raise TypeError(f"made pages hold no {type(part).__name__}")
    return FRAME_TOKENS * (1 + len(message.calls)) + sum(reference_count(texts))


def made_page(
    id: int,
    kind: Literal["system", "user", "assistant", "calls"] = "user",
    tokens: int = 20,
    *,
    calls: int = 1,
    pinned: bool = False,
) -> Page:
    """A page of about this size.

    Args:
        id: The page's id.
        kind: The role of its one message; or ``calls``: an assistant message with its tool results.
        tokens: Of its texts; in a page of calls the results share them.
        calls: How many calls a page of calls has.
        pinned: Whether it must stand verbatim.
    """

    def words(of: int, length: int) -> str:
        line = f"page {id} text {of} says what it has to say; "
        return (line * (length // len(line) + 1))[:length]

    messages: tuple[Message, ...]
    if kind == "calls":
        called = tuple(ToolCall(f"call-{id}-{n}", "read_file", f'{{"path": "src/{n}.py"}}') for n in range(calls))
        results = (Message("tool", (ToolResult(c.id, words(n, 4 * tokens // calls)),)) for n, c in enumerate(called))
        messages = (Message("assistant", (Text("Let me look."), *called)), *results)
    else:
        messages = (Message(kind, (Text(words(0, 4 * tokens)),)),)
    return Page(id, messages, tuple(map(message_tokens, messages)), pinned)


def reference_offers(page: Page, target: int) -> list[Shortened]:
    """At most two sound offers for a made page: near the target, and the smallest.

    Every text of more than 60 characters is cut to its share and says so. None for pinned and system pages, nor
    where nothing becomes smaller.
    """
    if page.pinned or page.role == "system":
        return []
    long = {
        (m, p): part.text
        for m, message in enumerate(page.messages)
        for p, part in enumerate(message.parts)
        if isinstance(part, Text | ToolResult) and len(part.text) > 60
    }
    note = f" [cut; page {page.id} has the rest]"
    fixed = page.tokens - sum(reference_count([*long.values()]))
    total = sum(map(len, long.values()))
    offers = []
    for wanted in sorted({max(target, 0), 0}):
        # Four characters a token, less a token for each text that is rounded up.
        spare = 4 * (wanted - fixed - len(long)) - len(note) * len(long)
        share = max(0.0, min(1.0, spare / total)) if total else 0.0
        texts: dict[tuple[int, int], str | None] = {at: t[: int(len(t) * share)] + note for at, t in long.items()}
        tokens = fixed + sum(reference_count([t for t in texts.values() if t]))
        if tokens < page.tokens:
            offers.append(Shortened(page.id, texts, "reference", covers=share, tokens=tokens))
    return offers


def plan_request(
    pages: Sequence[Page],
    budget: int,
    *,
    entries: Sequence[Entry] = (),
    offer: Offer | None = None,
    offered: list[Shortened] | None = None,
    faults: Mapping[int, int] | None = None,
    query: str | None = None,
) -> PlanRequest:
    """A request as the kernel makes it, with simple counts, offers and scores.

    Reads every page once, to find the pins.

    Args:
        pages: In log order.
        budget: Of the window, in tokens.
        entries: How the pages stand now.
        offer: Takes the place of :func:`reference_offers`.
        offered: Gets every offer that was made.
        faults: How often pages faulted.
        query: What the window is wanted for.
    """

    async def offers(asked: Sequence[Page], targets: Sequence[int]) -> list[Shortened]:
        if offer is not None:
            made = list(await offer(asked, targets))
        else:
            made = [o for page, target in zip(asked, targets, strict=True) for o in reference_offers(page, target)]
        if offered is not None:
            offered.extend(made)
        return made

    async def score(asked: Sequence[Page]) -> list[float]:
        newest = pages[-1].id if pages else 0
        return [0.5 ** ((newest - page.id) / 20) for page in asked]

    def digest_tokens(first: int, last: int, excerpts: Sequence[Excerpt], notes: Sequence[Note] = ()) -> int:
        said = [*(e.text for e in excerpts), *(n.text for n in notes)]
        return FRAME_TOKENS * (1 + len(said)) + sum(reference_count(said))

    return PlanRequest(
        session="test",
        pages=pages,
        entries=entries,
        budget=budget,
        offer=offers,
        score=score,
        count=reference_count,
        stub_tokens=STUB_TOKENS,
        digest_tokens=digest_tokens,
        query=query,
        faults=faults or {},
        pinned=tuple(page.id for page in pages if page.pinned or page.role == "system"),
        asked=tuple(page.id for page in pages if page.role == "user"),
    )


def window_tokens(request: PlanRequest, entries: Sequence[Entry]) -> int:
    """Tokens of the window that these entries make of the request's pages; pages beyond the last are verbatim.

    Computed from the definition, page by page: O(pages).
    """
    how = {page.id: e.rendition for e in entries for page in request.pages if e.first <= page.id <= e.last}
    tokens, out = 0, False
    for page in request.pages:
        form = how.get(page.id, Verbatim())
        match form:
            case Verbatim():
                tokens += page.tokens
            case Shortened():
                tokens += form.tokens
            case PagedOut():
                tokens += 0 if out else request.stub_tokens
            case Digest():
                pass
        out = isinstance(form, PagedOut)
    for e in entries:
        if isinstance(e.rendition, Digest):
            tokens += request.digest_tokens(e.first, e.last, e.rendition.excerpts, e.rendition.notes)
    return tokens
