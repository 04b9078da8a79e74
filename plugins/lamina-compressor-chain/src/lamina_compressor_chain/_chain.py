"""Which member's offer stands for which target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import Factory, define, evolve

from lamina.model import Page, ToolCall
from lamina.protocols import Compressor, CompressRequest, Shortened, is_deterministic
from lamina.rendering import unsound

Count = Callable[[Sequence[str]], Sequence[int]]


@define
class _Wanted:
    """What was asked for one page, and what has been offered so far."""

    page: Page
    open: dict[int, int]
    """Targets that no offer came near yet, each with the most tokens that an offer for it may have."""
    won: list[Shortened] = Factory(list)
    """Offers near a target, in the order in which they came."""
    others: list[Shortened] = Factory(list)
    """Sound offers that are near no target, in the order in which they came."""
    sizes: dict[tuple[int, int], int] = Factory(dict)
    """Tokens of those texts of the page that offers replace."""


class Chain:
    """Asks its members in order.

    Args:
        members: By name, in order of preference.
        near: The share of a target's tokens that an offer near it has at least.
        logger: Told of members that fail.
    """

    def __init__(self, members: Mapping[str, Compressor], near: float, logger: Any) -> None:
        self._members, self._near, self._logger = dict(members), near, logger
        self.deterministic = all(is_deterministic(member) for member in self._members.values())
        """Whether all members are."""

    async def compress(self, request: CompressRequest) -> Sequence[Shortened]:
        """For each page and target the offer of the first member that comes near it.

        A member is asked only for pages and targets that those before it did not come near. For a target that no
        member comes near, the largest offer that fits it stands, else the smallest of all. A member that raises is
        named in the log and passed over.
        """
        wanted = [self._wanted(page, request.targets) for page in request.pages]
        asked = wanted
        for name, member in self._members.items():
            asked = [want for want in asked if want.open]
            if not asked:
                break
            still = {target for want in asked for target in want.open}
            part = evolve(
                request,
                pages=[want.page for want in asked],
                # As they were given, if there are none: the members then say what they have to say.
                targets=[target for target in request.targets if target in still],
            )
            for offer in await self._ask(name, member, part):
                self._take(name, offer, {want.page.id: want for want in asked}, request.count)
            for want in asked:
                self._settle(want)
        return [offer for want in wanted for offer in self._chosen(want)]

    def _wanted(self, page: Page, targets: Sequence[int]) -> _Wanted:
        # Every offer is smaller than its page: for a target above that, the page's own size is the measure.
        return _Wanted(page, {target: min(target, page.tokens - 1) for target in targets or [page.tokens - 1]})

    async def _ask(self, name: str, member: Compressor, request: CompressRequest) -> Sequence[Shortened]:
        try:
            return list(await member.compress(request))
        except Exception as error:  # noqa: BLE001 - the plugin boundary
            self._logger.warning("member failed", member=name, error=f"{type(error).__name__}: {error}")
            return []

    def _take(self, name: str, offer: Any, asked: Mapping[int, _Wanted], count: Count) -> None:
        """Note an offer that may stand; name the member in the log where it may not."""
        want = asked.get(offer.page) if isinstance(offer, Shortened) else None
        if want is None:
            self._logger.warning("member offered what was not asked for", member=name)
            return
        wrong = unsound(want.page, offer)
        if wrong is not None:
            self._logger.warning("member made an unsound offer", member=name, page=offer.page, why=wrong)
            return
        tokens = _tokens(want, offer, count)
        if tokens < want.page.tokens:
            by = f"{name}/{offer.compressor}" if offer.compressor else name
            sound = evolve(offer, tokens=tokens, compressor=by)
            if sound not in want.others:
                want.others.append(sound)

    def _settle(self, want: _Wanted) -> None:
        """Close the targets that some new offer is near to."""
        for target, most in list(want.open.items()):
            near = [o for o in want.others if o.tokens <= most and (o.lossless or o.tokens >= self._near * most)]
            if near:
                # Offers of earlier members are near none of the open targets: these are all of one member.
                want.won += [offer for offer in near if offer not in want.won]
                del want.open[target]

    def _chosen(self, want: _Wanted) -> Sequence[Shortened]:
        chosen = list(want.won)
        for most in want.open.values():
            fitting = [offer for offer in want.others if offer.tokens <= most]
            # The first of equals: an earlier member's.
            best = max(fitting, key=lambda o: o.tokens) if fitting else _smallest(want.others)
            if best is not None and best not in chosen:
                chosen.append(best)
        return chosen


def _smallest(offers: Sequence[Shortened]) -> Shortened | None:
    return min(offers, key=lambda offer: offer.tokens, default=None)


def _tokens(want: _Wanted, offer: Shortened, count: Count) -> int:
    """Tokens of the page in the offered form; each original text is counted once."""
    new = [place for place in offer.texts if place not in want.sizes]
    if new:
        want.sizes.update(zip(new, count([_original(want.page, place) for place in new]), strict=True))
    before = sum(want.sizes[place] for place in offer.texts)
    return want.page.tokens - before + sum(count([text for text in offer.texts.values() if text is not None]))


def _original(page: Page, place: tuple[int, int]) -> str:
    part = page.messages[place[0]].parts[place[1]]
    return part.arguments if isinstance(part, ToolCall) else str(getattr(part, "text", ""))
