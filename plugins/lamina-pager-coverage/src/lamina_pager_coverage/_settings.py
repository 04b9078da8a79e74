"""Settings of the coverage pager."""

from __future__ import annotations

from attrs import field, frozen, validators


def _share(default: float) -> float:
    return field(default=default, validator=[validators.ge(0), validators.le(1)])


@frozen
class CoverageSettings:
    """Shares are of the room: the budget less system and pinned pages."""

    tail_share: float = _share(0.1)
    """The newest pages stay whole up to this share; the newest page always does."""
    second_share: float = _share(0.4)
    """The page before the newest stays whole too if both are within this share."""
    front_share: float = _share(0.6)
    """Largest share for what stands of older pages: whole ones, digests and stubs."""
    loose_ratio: float = field(default=1.4, validator=validators.ge(0))
    """Tokens of excerpts per token of whole pages, at most: excerpts never dominate a window."""
    growth_share: float = _share(0.15)
    """Room left free by a compaction, as far as the newest page lets it; sets how rarely compactions come."""
    price: float = field(default=11.0, validator=validators.ge(0))
    """What a window full of tokens is worth, in names used again: what gains less per token stays out."""
    discount: float = _share(0.5)
    """Share of its price that a piece is spared which stays as it is, because its prefix stays cached."""
    entry_share: float = _share(0.8)
    """A larger page enters the window shortened to this share of the budget; the log keeps it whole."""
    lossless_share: float = _share(0.95)
    """A lossless form enters if it has at most this share of the page's tokens."""
    surroundings: float = field(default=0.5, validator=validators.ge(0))
    """Worth of a name's surroundings (its line) relative to the name's own."""
    statement: float = field(default=0.06, validator=validators.ge(0))
    """Worth of a line of a user message, relative to a name that is as good as certain to be used again."""
    options: int = field(default=12, validator=validators.gt(0))
    """How many lengths of the standing prefix a compaction compares."""
    work: int = field(default=8000, validator=validators.gt(0))
    """Candidates times lengths compared at a compaction, about; bounds its time."""
    live: int = field(default=4000, validator=validators.gt(0))
    """Names examined at a compaction; bounds its time."""
    reach_tokens: int = field(default=400_000, validator=validators.gt(0))
    """Of a session that comes all at once, so many of the newest tokens are examined; bounds the first compaction."""
    talk_pages: int = field(default=2, validator=validators.ge(0))
    """In a session of talk, so many newest pages stay whole."""
    talk_reach_tokens: int = field(default=40_000, validator=validators.gt(0))
    """In a session of talk, at least so many of the newest tokens are covered, and at most twice as many."""
    talk_growth_share: float = _share(0.4)
    """In a session of talk, room left free by a compaction, unless it is the first window asked for."""
