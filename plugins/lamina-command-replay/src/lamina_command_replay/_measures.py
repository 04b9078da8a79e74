"""Measures a recorded session's windows: what the model went on to use, and whether it could still see it.

Before every assistant message (but one at index 0) there is a window. The recorded assistant message then says what
it needed: every atom (identifier, path, number, word with a digit or punctuation) of its prose and its argument
values that had appeared earlier, less those in the system message or the newest page, which every policy has. Besides,
the window should say what the agent was asked to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import field, frozen

from lamina_command_replay._asked import Asked, Requests, Share
from lamina_command_replay._figures import WHOLE, Figures
from lamina_command_replay._texts import ChatMessage, Facts, Texts, last_word, surroundings
from lamina_command_replay._verbatim import Originals

FAR = 10
"""From so many messages back on, an atom is far."""
WITNESSES = 3
"""So many of an atom's last occurrences are asked for its surroundings."""


@frozen
class Measured:
    """What one window came to."""

    index: int
    """Of the assistant message that it stands before."""
    tokens: int
    """Of the window, as the bill counts them."""
    cached: int
    """Those of them in a prefix that the window before had too."""
    history: int
    """Tokens of the full history."""
    history_cached: int
    """Those of them that the step before had too."""
    counts: Mapping[str, int] = field(hash=False)
    """What the step adds to :class:`Figures`, by the names there."""
    lost: tuple[tuple[str, int], ...]
    """Needed atoms that do not stand in the window, sorted; each with the index of the message that last said it."""
    asked: Asked | None = None
    """What the window says of what was asked for; ``None`` where the step is not pressed, or nothing was asked for."""


class Measure:
    """Measures the windows of one session, step by step, in order.

    Args:
        session: Its id.
        messages: The whole recording, in OpenAI chat form; every tool result follows its call.
        budget: Tokens that each window may have.
        texts: Counts and remembers; measures of the same session under other configurations may share it.
        watch: Told of every window what it came to.
    """

    def __init__(
        self,
        session: str,
        messages: Sequence[ChatMessage],
        budget: int,
        texts: Texts,
        watch: Callable[[Measured], None] | None = None,
    ) -> None:
        self._session, self._messages, self._budget, self._texts = session, messages, budget, texts
        self._watch = watch
        self._lost: list[tuple[str, int]] = []
        self._facts = [texts.facts(message) for message in messages]
        self._originals = Originals(texts.tokens)
        self._requests = Requests(messages, budget, texts)
        self._results = {
            message["tool_call_id"]: facts.said
            for message, facts in zip(messages, self._facts, strict=True)
            if message["role"] == "tool"
        }
        self._seen: dict[str, list[int]] = {}
        self._read = 0
        self._history = self._history_before = 0
        self._window_before: Sequence[ChatMessage] = ()
        self._counts: dict[str, int] = {}

    @property
    def figures(self) -> Figures:
        """What was measured so far."""
        kept, needed = self._counts.get("kept", 0), self._counts.get("needed", 0)
        return Figures(**self._counts, sessions={self._session: (kept, needed)})

    def step(self, index: int, window: Sequence[ChatMessage]) -> None:
        """Measure the window that stands before the assistant message at ``index``.

        Indices must ascend. Costs time in proportion to the window and to what was said since the step before.
        """
        self._read_until(index)
        self._lost.clear()
        counts = dict(self._counts)
        facts = [self._texts.facts(message) for message in window]
        tokens = sum(one.tokens for one in facts)
        asked = None
        self._add(steps=1, over=tokens > self._budget, broken=is_broken(window))
        if self._history > self._budget:
            self._add(pressed=1)
            self._charge(window, facts, tokens)
            view = _View(self._texts, window, facts, self._results)
            page = self._newest(index)
            self._add(thin=self._is_thin(view, page, index))
            self._need(view, page, index)
            asked = self._requests.step(page, window)
            self._ask(asked)
        if self._watch is not None:
            added = {name: count - counts.get(name, 0) for name, count in self._counts.items()}
            # The order of a set of texts changes from one run to the next.
            lost = tuple(sorted(self._lost))
            cached = self._cached(window, facts)
            self._watch(Measured(index, tokens, cached, self._history, self._history_before, added, lost, asked))
        self._history_before = self._history
        self._window_before = window

    def _add(self, **counts: int) -> None:
        for name, count in counts.items():
            self._counts[name] = self._counts.get(name, 0) + count

    def _read_until(self, index: int) -> None:
        for at in range(self._read, index):
            facts = self._facts[at]
            for atom in self._texts.atoms(facts.said):
                self._seen.setdefault(atom, []).append(at)
            self._originals.add(facts.said)
            self._requests.read(at)
            self._history += facts.tokens
        self._read = index

    def _newest(self, index: int) -> int:
        """Where the newest page before ``index`` starts: an assistant message with its results, or one message."""
        first = index - 1
        while first and self._messages[first]["role"] == "tool":
            first -= 1
        return first

    def _cached(self, window: Sequence[ChatMessage], facts: Sequence[Facts]) -> int:
        """Tokens in a prefix that the window before had too."""
        cached = 0
        for before, message, one in zip(self._window_before, window, facts, strict=False):
            if before != message:
                break
            cached += one.tokens
        return cached

    def _charge(self, window: Sequence[ChatMessage], facts: Sequence[Facts], tokens: int) -> None:
        cached = self._cached(window, facts)
        self._add(
            window_cached=cached,
            window_fresh=tokens - cached,
            history_cached=self._history_before,
            history_fresh=self._history - self._history_before,
        )

    def _need(self, view: _View, page: int, index: int) -> None:
        given = [facts.said for facts in self._facts[page:index]]
        if self._messages[0]["role"] == "system":
            given.append(self._facts[0].said)
        for atom in self._texts.atoms(self._facts[index].said):
            occurrences = self._seen.get(atom)
            if occurrences is None:
                continue
            if any(last_word(text, atom) >= 0 for text in given):
                self._add(trivial_atoms=1)
                continue
            kept = last_word(view.text, atom) >= 0
            shown = kept and any(self._is_shown(view, atom, at) for at in occurrences[-WITNESSES:])
            far = index - occurrences[-1] >= FAR
            self._add(needed=1, kept=kept, shown=shown, far=far, far_lost=far and not kept)
            if not kept:
                self._lost.append((atom, occurrences[-1]))

    def _ask(self, asked: Asked | None) -> None:
        if asked is None:
            return
        self._add(
            requested=1, asked_whole=asked.is_whole, said_parts=_parts(asked.said), first_parts=_parts(asked.first)
        )
        if asked.todo is not None:
            self._add(planned=1, todo_parts=_parts(asked.todo))
        if asked.outside:
            self._add(outside=1, outside_parts=_parts(asked.newest))

    def _is_shown(self, view: _View, atom: str, at: int) -> bool:
        if self._messages[at].get("tool_call_id") in view.whole:
            return True
        return surroundings(self._facts[at].said, atom) in view.text

    def _is_thin(self, view: _View, page: int, index: int) -> bool:
        system = sum(f.tokens for m, f in zip(view.window, view.facts, strict=True) if m["role"] == "system")
        room = self._budget - system
        wanted = sum(facts.said_tokens for facts in self._facts[page:index])
        # A page over a quarter of the room may itself be shortened: then that quarter is what is asked for.
        if sum(self._seen_of(view, at) for at in range(page, index)) < 0.8 * min(wanted, room / 4):
            return True
        return 5 * view.solid(self._originals.solid) < 2 * view.body_tokens()

    def _seen_of(self, view: _View, at: int) -> int:
        """Tokens of a message of the newest page that the window shows."""
        message, facts = self._messages[at], self._facts[at]
        if message["role"] != "tool":
            return facts.said_tokens if view.shows(message["role"], facts.said) else 0
        if message["tool_call_id"] in view.whole:
            return facts.said_tokens
        return max(map(self._originals.solid, view.results(message["tool_call_id"])), default=0)


class _View:
    """A window, as the measures of one step look at it."""

    def __init__(
        self, texts: Texts, window: Sequence[ChatMessage], facts: Sequence[Facts], results: dict[str, str]
    ) -> None:
        self.window, self.facts = window, facts
        self.text = "\n".join(one.said for one in facts)
        self.whole = {
            message["tool_call_id"]
            for message, one in zip(window, facts, strict=True)
            if message["role"] == "tool" and texts.same_words(results.get(message["tool_call_id"], ""), one.said)
        }
        """Ids of the calls whose results stand whole, be it encoded anew."""

    def shows(self, role: str, text: str) -> bool:
        """Whether a message of this role says the text, be it with something around it."""
        return any(
            message["role"] == role and (one.said == text or (text and text in one.said))
            for message, one in zip(self.window, self.facts, strict=True)
        )

    def results(self, call: str) -> list[str]:
        """What stands as results of the call."""
        return [
            one.said
            for message, one in zip(self.window, self.facts, strict=True)
            if message["role"] == "tool" and message["tool_call_id"] == call
        ]

    def body_tokens(self) -> int:
        """Tokens of what is said outside system messages."""
        return sum(f.said_tokens for m, f in zip(self.window, self.facts, strict=True) if m["role"] != "system")

    def solid(self, quoted: Callable[[str], int]) -> int:
        """Those of :meth:`body_tokens` that are no shreds; ``quoted`` judges a text."""
        return sum(
            one.said_tokens if message["role"] == "tool" and message["tool_call_id"] in self.whole else quoted(one.said)
            for message, one in zip(self.window, self.facts, strict=True)
            if message["role"] != "system"
        )


def _parts(share: Share) -> int:
    return round(WHOLE * share[0] / share[1])


def is_broken(window: Sequence[ChatMessage]) -> bool:
    """Whether a tool result stands without its call, or a call without its result."""
    waiting: set[str] = set()
    for message in window:
        if message["role"] == "tool":
            if message.get("tool_call_id") not in waiting:
                return True
            waiting.discard(message["tool_call_id"])
        elif waiting:
            return True
        else:
            waiting = {call["id"] for call in message.get("tool_calls") or ()}
    return bool(waiting)
