"""From messages to pages: which message belongs to which page, and what the page looks like to a model.

The rules, for tool results that do not simply follow their call:

- *late*: a result joins the page of its call whenever it arrives;
- *missing*: a call without a result is shown with the result ``[no result]``, so that the pair is complete;
- *repeated*: of several results for one call the last stands (the log keeps all);
- *reused ids*: a result answers the oldest unanswered call of its id, else the newest answered one;
- *no call at all*: refused.
"""

from __future__ import annotations

import bisect
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar, overload

from attrs import define, field

from lamina._counting import CheckedCounter
from lamina.errors import FormatError
from lamina.model import Extra, Image, Message, Opaque, Page, Part, Reasoning, Text, ToolCall, ToolResult
from lamina.protocols import CounterInfo

NO_RESULT = "[no result]"
T = TypeVar("T")

Count = Callable[[Sequence[str]], Sequence[int]]


def countable(part: Part) -> tuple[str, ...]:
    """The texts of a part that cost tokens."""
    match part:
        case Text(text) | Reasoning(text=text):
            return (text, *_members(part.extra)) if part.extra else (text,)
        case ToolResult(text=text):
            if not (part.blocks or part.extra):
                return (text,)
            return (text, *[t for block in part.blocks for t in _inside(block)], *_members(part.extra))
        case ToolCall(name=name, arguments=arguments):
            return (name, arguments, *_members(part.extra)) if part.extra else (name, arguments)
        case Opaque():
            return _opaque(part)
        case Image():
            return _members(part.extra)


def _opaque(part: Opaque) -> tuple[str, ...]:
    return (json.dumps(part.data, ensure_ascii=False, default=str) if part.pages is None else part.text,)


def _inside(block: Text | Image | Opaque) -> tuple[str, ...]:
    """What a block of a result costs beside its text, which is the result's, and beside its image."""
    return _opaque(block) if isinstance(block, Opaque) else _members(block.extra)


def _members(extra: Extra) -> tuple[str, ...]:
    """The members that no part has a word for, as they are sent; an empty family is a mark of its format."""
    return tuple([json.dumps(members, ensure_ascii=False, default=str) for members in extra.values() if members])


def part_counts(parts: Sequence[Part], count: CheckedCounter) -> tuple[int, ...]:
    """Tokens of each part: its texts, the frame of a call, its images, the pages of its documents, what it hides."""
    texts = [countable(part) for part in parts]
    flat = iter(count([t for ts in texts for t in ts]))
    out = []
    for part, ts in zip(parts, texts, strict=True):
        tokens = sum(next(flat) for _ in ts)
        match part:
            case ToolCall():
                tokens += count.info.call_tokens
            case Image():
                tokens += count.images((part,))[0]
            case ToolResult() if part.images or part.blocks:
                tokens += sum(count.images(part.images))
                tokens += sum(block.pages or 0 for block in part.others) * count.info.page_tokens
            case Opaque(pages=int(pages)):
                tokens += pages * count.info.page_tokens
            case Reasoning(hidden_tokens=hidden):
                tokens += hidden
            case _:
                pass
        out.append(tokens)
    return tuple(out)


def message_counts(message: Message, count: CheckedCounter) -> tuple[int, ...]:
    """Tokens of each part; then, of a message with members of its own, theirs."""
    counts = part_counts(message.parts, count)
    return (*counts, sum(count(_members(message.extra)))) if message.extra else counts


def message_tokens(message: Message, counts: Sequence[int], info: CounterInfo) -> int:
    """Tokens of a whole message: its frame, its parts and members, and a line feed between its texts."""
    return info.message_tokens + sum(counts) + _line_feeds(message)


def _line_feeds(message: Message) -> int:
    return max(0, sum(isinstance(part, Text) for part in message.parts) - 1)


def shortened_tokens(page: Page, at: int, message: Message, counts: Sequence[int]) -> int:
    """Tokens of a page's message at ``at`` once it reads like ``message``, whose parts have these counts."""
    whole = page.messages[at]
    # The frame and the message's own members cost what they did: only they are no parts.
    rest = page.message_tokens[at] - sum(page.part_tokens[at]) - _line_feeds(whole)
    return rest + sum(counts) + _line_feeds(message)


class Prefix(Sequence[T]):
    """The first ``n`` items (mostly pages) of a growing list, without a copy."""

    def __init__(self, pages: list[T], n: int) -> None:
        self._pages, self._n = pages, n

    def __len__(self) -> int:
        return self._n

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            start, stop, step = index.indices(self._n)
            return self._pages[start:stop] if step == 1 else [self._pages[i] for i in range(start, stop, step)]
        if not -self._n <= index < self._n:
            raise IndexError(index)
        return self._pages[index if index >= 0 else self._n + index]

    def __iter__(self) -> Iterator[T]:
        for i in range(self._n):
            yield self._pages[i]

    def __reversed__(self) -> Iterator[T]:
        for i in range(self._n - 1, -1, -1):
            yield self._pages[i]


class Lazily(Sequence[Page]):
    """Pages that are listed when they are first looked at, which most strategies never do."""

    def __init__(self, listed: Callable[[], list[Page]]) -> None:
        self._listed = listed
        self._pages: list[Page] | None = None

    @property
    def _all(self) -> list[Page]:
        if self._pages is None:
            self._pages = self._listed()
        return self._pages

    def __len__(self) -> int:
        return len(self._all)

    @overload
    def __getitem__(self, index: int) -> Page: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Page]: ...
    def __getitem__(self, index: int | slice) -> Page | Sequence[Page]:
        return self._all[index]

    def __iter__(self) -> Iterator[Page]:
        return iter(self._all)


def joined(first: Message, then: Message) -> Message:
    """Two pieces of one message as one."""
    extra = first.extra
    if then.extra:
        families = dict.fromkeys((*first.extra, *then.extra))
        extra = {name: {**first.extra.get(name, {}), **then.extra.get(name, {})} for name in families}
    return Message(first.role, first.parts + then.parts, first.group, first.created_s, extra=extra)


@define
class _Draft:
    """A page in the making: what arrived for it."""

    id: int
    head: Message
    head_counts: tuple[int, ...]
    head_extra: int
    """Tokens of the head's own members."""
    results: dict[int, tuple[ToolResult, int]] = field(factory=dict)
    """Index of the call to the result that stands for it, and its tokens."""


class Pages:
    """The pages of one session, kept up message by message."""

    def __init__(self, count: Count, info: CounterInfo) -> None:
        self.info = info
        self._count = count
        self.all: list[Page] = []
        self.ids: list[int] = []
        self.must: list[int] = []
        """Ids of pinned and system pages, ascending."""
        self.asked: list[int] = []
        """Ids of the pages of role ``user``, ascending."""
        self.pinned: set[int] = set()
        self.sums: list[int] = [0]
        """Tokens of all pages before each position."""
        self.sources: dict[int, list[tuple[str, int]]] = {}
        """Page to the source records (owner session, number) that it came from."""
        self.next_id = 1
        self._open: dict[str, deque[tuple[int, int]]] = {}
        """Call id to its unanswered uses (position of the page, index of the call)."""
        self._answered: dict[str, tuple[int, int]] = {}
        self._drafts: dict[int, _Draft] = {}
        """Position to draft, for pages with calls."""
        self._missing = self._no_result_tokens()

    def _no_result_tokens(self) -> int:
        return self._count([NO_RESULT])[0]

    def position(self, page: int) -> int | None:
        """Where the page of this id stands, or ``None``."""
        at = bisect.bisect_left(self.ids, page)
        return at if at < len(self.ids) and self.ids[at] == page else None

    def add(
        self, message: Message, counts: Sequence[int], ids: Sequence[int] | None = None
    ) -> tuple[list[int], list[int]]:
        """Take a message in.

        Args:
            message: The message.
            counts: Tokens of each of its parts; then, of a message with members of its own, theirs.
            ids: The pages that it was logged under, when the log is read again.

        Returns:
            The ids that it belongs to (one per result of a tool message, else one), and the positions of the
            pages that it changed or made.

        Raises:
            FormatError: A tool result answers no call. Nothing was changed.
        """
        if message.role == "tool":
            return self._add_results(message, counts)
        if self._continues(message):
            position = len(self.all) - 1
            draft = self._drafts.get(position) or self._draft_of(position)
            shift = len(draft.head.calls)
            draft.head = joined(draft.head, message)
            draft.head_counts += tuple(counts[: len(message.parts)])
            draft.head_extra += sum(counts[len(message.parts) :])
            self._drafts[position] = draft
        else:
            position, shift = len(self.all), 0
            size = len(message.parts)
            draft = _Draft(ids[0] if ids else self.next_id, message, tuple(counts[:size]), sum(counts[size:]))
            self.next_id = max(self.next_id, draft.id + 1)
            self.ids.append(draft.id)
            if message.role == "system":
                self.must.append(draft.id)
            elif message.role == "user":
                self.asked.append(draft.id)
            if message.calls or message.group is not None:
                self._drafts[position] = draft
        for index, call in enumerate(message.calls, start=shift):
            self._open.setdefault(call.id, deque()).append((position, index))
        self._put(position, self._page(draft))
        return [draft.id], [position]

    def _continues(self, message: Message) -> bool:
        if message.role != "assistant" or message.group is None or not self.all:
            return False
        last = self.all[-1].messages[0]
        return last.role == "assistant" and last.group == message.group

    def _draft_of(self, position: int) -> _Draft:
        page = self.all[position]
        head, counts = page.messages[0], page.part_tokens[0]
        return _Draft(page.id, head, counts, page.message_tokens[0] - message_tokens(head, counts, self.info))

    def _add_results(self, message: Message, counts: Sequence[int]) -> tuple[list[int], list[int]]:
        targets: list[tuple[int, int]] = []
        taken: dict[str, int] = {}
        for result in message.results:
            waiting = self._open.get(result.call_id)
            used = taken.get(result.call_id, 0)
            if waiting and len(waiting) > used:
                targets.append(waiting[used])
                taken[result.call_id] = used + 1
            elif result.call_id in self._answered:
                targets.append(self._answered[result.call_id])
            elif waiting and used:
                targets.append(waiting[used - 1])
            else:
                raise FormatError(
                    f"tool result {result.call_id!r} answers no call; add the assistant message with the call first"
                )
        changed: dict[int, None] = {}
        ids = []
        for result, count, (position, index) in zip(message.results, counts, targets, strict=False):
            waiting = self._open.get(result.call_id)
            if waiting and waiting[0] == (position, index):
                waiting.popleft()
                if not waiting:
                    del self._open[result.call_id]
            self._answered[result.call_id] = (position, index)
            draft = self._drafts[position]
            draft.results[index] = (result, count)
            ids.append(draft.id)
            changed[position] = None
        for position in changed:
            self._put(position, self._page(self._drafts[position]))
        return ids, list(changed)

    def _page(self, draft: _Draft) -> Page:
        messages = [draft.head]
        tokens = [message_tokens(draft.head, draft.head_counts, self.info) + draft.head_extra]
        parts = [draft.head_counts]
        for index, call in enumerate(draft.head.calls):
            result, count = draft.results.get(index) or (ToolResult(call.id, NO_RESULT), self._missing)
            answer = Message("tool", (result,))
            messages.append(answer)
            parts.append((count,))
            tokens.append(message_tokens(answer, (count,), self.info))
        return Page(draft.id, tuple(messages), tuple(tokens), draft.id in self.pinned, tuple(parts))

    def _put(self, position: int, page: Page) -> None:
        if position == len(self.all):
            self.all.append(page)
            self.sums.append(self.sums[-1] + page.tokens)
            return
        grown = page.tokens - self.all[position].tokens
        self.all[position] = page
        # A result nearly always joins the newest page: this loop then runs once.
        for at in range(position + 1, len(self.sums)):
            self.sums[at] += grown

    def pin(self, page: int, pinned: bool) -> None:
        """Mark the page as pinned, or not; it must be there."""
        position = self.position(page)
        if position is None:
            raise KeyError(page)
        (self.pinned.add if pinned else self.pinned.discard)(page)
        old = self.all[position]
        self.all[position] = Page(old.id, old.messages, old.message_tokens, pinned, old.part_tokens)
        at = bisect.bisect_left(self.must, page)
        there = at < len(self.must) and self.must[at] == page
        if pinned and not there:
            self.must.insert(at, page)
        elif not pinned and there and old.role != "system":
            del self.must[at]
