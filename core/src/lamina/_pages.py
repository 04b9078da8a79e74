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
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar, overload

from lamina._calls import Calls, Place
from lamina._counting import CheckedCounter
from lamina._resident import Load, Resident
from lamina.model import Extra, Image, Message, Opaque, Page, Part, Reasoning, Text, ToolCall, ToolResult
from lamina.protocols import CounterInfo

NO_RESULT = "[no result]"
T = TypeVar("T")


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

    def __init__(self, pages: Sequence[T], n: int) -> None:
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


class Pages:
    """The pages of one session, kept up message by message.

    Args:
        count: Counts tokens.
        load: Reads a page that is not held from the log, at once; ``None`` where all are held.
        missing: Tokens of what stands for a missing result, where they are known.
    """

    def __init__(self, count: CheckedCounter, load: Load | None = None, missing: int | None = None) -> None:
        self.all = Resident(load)
        self.ids = array("q")
        self.must: list[int] = []
        """Ids of pinned and system pages, ascending."""
        self.asked = array("q")
        """Ids of the pages of role ``user``, ascending."""
        self.pinned: set[int] = set()
        self.sums = array("q", [0])
        """Tokens of all pages before each position."""
        self.calls = Calls()
        self.next_id = 1
        self._count, self._info = count, count.info
        self.missing = count([NO_RESULT])[0] if missing is None else missing

    def position(self, page: int) -> int | None:
        """Where the page stands in :attr:`all`."""
        at = bisect.bisect_left(self.ids, page)
        return at if at < len(self.ids) and self.ids[at] == page else None

    def add(self, message: Message, counts: Sequence[int], ids: Sequence[int]) -> list[int]:
        """Take a message in; gives the positions of the pages that it changed or made.

        Args:
            message: One that was :func:`lamina._checking.checked`.
            counts: What :func:`message_counts` gave for it.
            ids: What :class:`Ahead` gave for it.
        """
        if message.role == "tool":
            return self._add_results(message, counts)
        n_parts = len(message.parts)
        head, its_counts, members = message, tuple(counts[:n_parts]), sum(counts[n_parts:])
        if self.all and continues(self.all[-1].messages[0], message):
            position, old = len(self.all) - 1, self.all[-1]
            first, known, answers = old.messages[0], old.part_tokens[0], old.messages[1:]
            members += old.message_tokens[0] - message_tokens(first, known, self._info)
            head, its_counts = joined(first, message), known + its_counts
        else:
            position, old, answers = len(self.all), None, ()
            self._open(ids[0], message)
        tokens = [message_tokens(head, its_counts, self._info) + members]
        parts = [its_counts]
        if old is not None:
            tokens += old.message_tokens[1:]
            parts += old.part_tokens[1:]
        calls = message.calls if message.role == "assistant" else ()
        for index, call in enumerate(calls, start=len(answers)):
            self.calls.opened(call.id, (position, index))
            answer = Message("tool", (ToolResult(call.id, NO_RESULT),))
            answers += (answer,)
            tokens.append(message_tokens(answer, (self.missing,), self._info))
            parts.append((self.missing,))
        page = Page(
            self.ids[position], (head, *answers), tuple(tokens), self.ids[position] in self.pinned, tuple(parts)
        )
        self._put(position, page)
        return [position]

    def _open(self, id: int, message: Message) -> None:
        self.next_id = max(self.next_id, id + 1)
        self.ids.append(id)
        if message.role == "system":
            self.must.append(id)
        elif message.role == "user":
            self.asked.append(id)

    def _add_results(self, message: Message, counts: Sequence[int]) -> list[int]:
        places = self.calls.answered([result.call_id for result in message.results])
        by_page: dict[int, dict[int, tuple[ToolResult, int]]] = {}
        for result, count, (position, index) in zip(message.results, counts, places, strict=False):
            by_page.setdefault(position, {})[index] = result, count
        for position, results in by_page.items():
            old = self.all[position]
            said, tokens, parts = list(old.messages), list(old.message_tokens), list(old.part_tokens)
            for index, (result, count) in results.items():
                said[1 + index] = Message("tool", (result,))
                tokens[1 + index] = message_tokens(said[1 + index], (count,), self._info)
                parts[1 + index] = (count,)
            self._put(position, Page(old.id, tuple(said), tuple(tokens), old.pinned, tuple(parts)))
        return list(by_page)

    def built(self, position: int, said: Sequence[tuple[Message, Sequence[int]]]) -> Page:
        """The page at a position, made anew from what was said of it.

        Args:
            position: Where it stands.
            said: Its messages, each with its counts; of tool messages only the results that belong to it.
        """
        id = self.ids[position]
        alone = Pages(self._count, missing=self.missing)
        if id in self.pinned:
            alone.pinned.add(id)
        for message, counts in said:
            alone.add(message, counts, (id,))
        return alone.all[0]

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
        """Mark the page as pinned, or not; nothing where there is no such page."""
        position = self.position(page)
        if position is None:
            return
        (self.pinned.add if pinned else self.pinned.discard)(page)
        old = self.all[position]
        self.all[position] = Page(old.id, old.messages, old.message_tokens, pinned, old.part_tokens)
        at = bisect.bisect_left(self.must, page)
        there = at < len(self.must) and self.must[at] == page
        if pinned and not there:
            self.must.insert(at, page)
        elif not pinned and there and old.role != "system":
            del self.must[at]


class Ahead:
    """Which pages the messages of a batch will belong to, worked out before any of it is written.

    Args:
        pages: What they come on top of; it is not changed.
    """

    def __init__(self, pages: Pages) -> None:
        self._known, self._all, self._calls = pages.ids, pages.all, Calls(pages.calls)
        self._tools: dict[Place, str] = {}
        self._new: list[int] = []
        self._next_id = pages.next_id
        last = pages.all[-1] if pages.all else None
        self._head = last.messages[0] if last else None
        self._n_calls = len(last.messages) - 1 if last else 0

    def place(self, message: Message) -> tuple[int, ...]:
        """The ids of the pages that each of its results (of a tool message), else the message itself, will belong to.

        Raises:
            FormatError: A tool result answers no call.
        """
        if message.role == "tool":
            return tuple([self._id(place) for place in self._calls.answered([r.call_id for r in message.results])])
        if self._head is None or not continues(self._head, message):
            self._new.append(self._next_id)
            self._next_id += 1
            self._head, self._n_calls = message, 0
        position = len(self._known) + len(self._new) - 1
        for call in message.calls if message.role == "assistant" else ():
            self._calls.opened(call.id, (position, self._n_calls))
            self._tools[position, self._n_calls] = call.name
            self._n_calls += 1
        return (self._id((position, 0)),)

    def waiting(self) -> list[tuple[str, str]]:
        """Id and tool of the calls that wait for a result, oldest first."""
        return [(id, self._tools.get(place) or self._tool(place)) for id, place in self._calls.waiting()]

    def _tool(self, place: Place) -> str:
        position, index = place
        return self._all[position].messages[0].calls[index].name

    def _id(self, place: Place) -> int:
        at = place[0] - len(self._known)
        return self._new[at] if at >= 0 else self._known[place[0]]


def continues(head: Message, message: Message) -> bool:
    """Whether the message is a further piece of the one that the newest page begins with."""
    same = message.group is not None and message.group == head.group
    return same and message.role == head.role == "assistant"
