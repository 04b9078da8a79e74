"""Notes on where a session stands, as lines of a digest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lamina.kit.working import File, State
from lamina.protocols import Note, PlanRequest


class Notes:
    """Notes in the making, with the pages that show the same."""

    def __init__(self, count: Callable[[Sequence[str]], Sequence[int]]) -> None:
        self._count = count
        self.lines: list[Note] = []
        self.pages: list[int] = []
        self.tokens: list[int] = []

    def _add(self, text: str, why: str, page: int, tokens: int | None = None) -> None:
        self.lines.append(Note(text, why))
        self.pages.append(page)
        self.tokens.append(self._count((text,))[0] + 1 if tokens is None else tokens)

    def requests(self, request: PlanRequest, said: Sequence[int], answered: Mapping[int, int]) -> None:
        """Which request is open."""
        if not said:
            return
        ids = [request.pages[at].id for at in said]
        if said[0] in answered:
            text = f"no request is open: the last, {ids[0]}, was answered in {request.pages[answered[said[0]]].id}"
        else:
            before = []
            for at, id in zip(said[1:], ids[1:], strict=True):
                if at in answered:
                    break
                before.append(str(id))
            # Not "and": the user may have moved on, or the agent may have done it without a word.
            earlier = f" (before it, without your answer: {', '.join(before[:8])})" if before else ""
            text = f"open: what the user asked in {ids[0]}{earlier}"
        self._add(text, "request", ids[0])

    def plan(self, state: State, share: int) -> None:
        """The plan's open items."""
        plan = state.plan
        if plan is None or not share:
            return
        done = sum(item.status == "done" for item in plan.items)
        if not plan.open:
            self._add(f"plan of {plan.page}: all {len(plan.items)} items done", "plan", plan.page)
            return
        lines = [f"- [{'in progress' if item.status == 'doing' else ' '}] {item.text}" for item in plan.open]
        counts = [n + 1 for n in self._count(lines)]
        kept, tokens = 0, 16
        while kept < len(lines) and tokens + counts[kept] <= share:
            tokens += counts[kept]
            kept += 1
        more = f", {len(lines) - kept} more open" if kept < len(lines) else ""
        head = f"plan of {plan.page} ({done} of {len(plan.items)} done{more}):"
        self._add("\n".join([head, *lines[:kept]]), "plan", plan.page, tokens)

    def state(self, state: State, share: int) -> None:
        """Commands, errors, files and dead ends, each kind's latest first, as far as they fit."""
        made: list[tuple[str, str, int]] = []
        for command, ran in reversed(state.ran.items()):
            how = "failed" if ran.failed else "ran"
            made.append(
                (f"{how} in {ran.page}: {command}" + (f" → {ran.says}" if ran.says else ""), "command", ran.page)
            )
        tried = [
            (
                f"tried in vain in {failed.page}: {failed.call}" + (f" → {failed.says}" if failed.says else ""),
                "dead end",
                failed.page,
            )
            for failed in reversed(state.failed.values())
            if not any(ran.page == failed.page for ran in state.ran.values())
        ]
        files = [(_file_line(path, file), "file", file.page) for path, file in reversed(state.files.items())]
        changed = [
            line for line, (_, file) in zip(files, reversed(state.files.items()), strict=True) if file.did != "read"
        ]
        read = [line for line in files if line not in changed]
        lines = [*made[:3], *changed[:8], *tried[:6], *read[:4], *made[3:6], *changed[8:16]]
        for (text, why, page), tokens in zip(lines, self._count([line for line, _, _ in lines]), strict=True):
            if tokens + 1 <= share:
                share -= tokens + 1
                self._add(text, why, page, tokens + 1)


def _file_line(path: str, file: File) -> str:
    whole = (
        f"; whole in {file.whole}" + (", changed since" if file.changed_since else "")
        if file.whole and file.whole != file.page
        else ""
    )
    return f"{file.did} in {file.page}: {path}{whole}"
