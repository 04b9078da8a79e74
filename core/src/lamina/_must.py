"""What must stand in a window whatever it costs, and the plan that holds that and the newest pages."""

from __future__ import annotations

from lamina._pages import Pages
from lamina.errors import BudgetError
from lamina.gate import Gate
from lamina.protocols import Entry, PagedOut, Plan, Verbatim


def opening_tokens(pages: Pages, gate: Gate, n: int) -> int:
    """Tokens of the line that stands before a window whose first message would be neither system nor user."""
    for at in range(n):
        if pages.all[at].role != "system":
            return 0 if pages.all[at].role == "user" else gate.opening.tokens
    return 0


def check_budget(pages: Pages, gate: Gate, budget: int, n: int) -> int:
    """Tokens of what must stand: system and pinned pages, a stub for each gap between them, the opening line.

    Raises:
        BudgetError: They do not fit.
    """
    last = pages.ids[n - 1] if n else 0
    must = [page for page in pages.must if page <= last]
    tokens = before = 0
    spoken = False
    for id in must:
        position = pages.position(id)
        assert position is not None
        if position > before:
            tokens, spoken = tokens + gate.stub_tokens, True
        page = pages.all[position]
        if not spoken and page.role not in ("system", "user"):
            tokens += gate.opening.tokens
        spoken = spoken or page.role != "system"
        tokens += page.tokens
        before = position + 1
    needed = tokens + (before < n) * gate.stub_tokens
    if needed > budget:
        raise BudgetError(budget, needed, f"the {len(must)} pinned and system pages" if must else "even a stub")
    return needed


def fallback(pages: Pages, gate: Gate, budget: int, n: int, needed: int) -> Plan:
    """Where a pager failed: what must stay, the newest pages that fit, stubs for the rest.

    Args:
        pages: All pages.
        gate: Knows what lamina's own lines cost.
        budget: Tokens that the window may have.
        n: So many of the pages are planned.
        needed: What :func:`check_budget` gave.
    """
    rule = "the gate's fallback: the pager's plan was refused"
    ids, must = pages.ids, set(pages.must)
    room = budget - needed - gate.opening.tokens
    start = n
    while start and (ids[start - 1] in must or pages.all[start - 1].tokens <= room):
        start -= 1
        if ids[start] not in must:
            room -= pages.all[start].tokens
    entries: list[Entry] = []
    at = 0
    for position in [p for p in map(pages.position, pages.must) if p is not None and p < start]:
        if at < position:
            entries.append(Entry(ids[at], ids[position - 1], PagedOut(), rule))
        entries.append(Entry(ids[position], ids[position], Verbatim(), "pinned"))
        at = position + 1
    if at < start:
        entries.append(Entry(ids[at], ids[start - 1], PagedOut(), rule))
    if start < n:
        entries.append(Entry(ids[start], ids[n - 1], Verbatim(), rule))
    return Plan(tuple(entries))
