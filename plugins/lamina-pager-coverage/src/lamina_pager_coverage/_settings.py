"""Settings of the coverage pager."""

from __future__ import annotations

from attrs import field, frozen, validators

from lamina.kit.promise import PromiseSettings

CACHES = {"anthropic": (0.1, 1.25), "openai": (0.1, 1.0), "none": (1.0, 1.0)}
"""What a token of the input costs that was read from the cache, and one that was not, relative to a plain one.

Sources: Anthropic's pricing of prompt caching (reads 0.1, five-minute writes 1.25); OpenAI's prices of cached input for
the GPT-5 family (0.1; 0.25 for GPT-4.1 and 0.5 for GPT-4o: set ``cache_read``), where writing costs nothing extra.
"""

KNOWN = {"tune": None}
"""Of settings that the provider decides, or that promise something: not to be tuned."""


def _share(default: float, *tune: float) -> float:
    return field(default=default, validator=[validators.ge(0), validators.le(1)], metadata={"tune": tune})


@frozen
class CoverageSettings(PromiseSettings):
    """Shares are of the room: the budget less system and pinned pages."""

    tail_share: float = _share(0.1, 0.05, 0.4)
    """The newest pages stay whole up to this share; the newest page always does."""
    second_share: float = _share(0.3, 0.1, 0.7)
    """The page before the newest stays whole too if both are within this share."""
    front_share: float = _share(0.6, 0.3, 0.8)
    """Largest share for what stands of older pages: whole ones, digests and stubs."""
    loose_ratio: float = field(default=1.48, validator=validators.ge(0), metadata={"tune": (0.7, 2.5)})
    """Tokens of excerpts per token of whole pages, at most: excerpts never dominate a window."""
    growth_share: float = _share(0.17, 0.05, 0.5)
    """Room left free by a compaction, as far as the newest page lets it; sets how rarely compactions come."""
    price: float = field(default=10.5, validator=validators.ge(0), metadata={"tune": (1.0, 40.0)})
    """What a window full of new tokens is worth at Anthropic's prices, in names used again: what gains less per token
    stays out. At other prices it is in proportion."""
    score_share: float = _share(0.3, 0.0, 0.8)
    """How far the configured scorer's opinion of a page changes the worth of its names: from 1 - this to 1 + this."""
    cache: str = field(default="anthropic", validator=validators.in_(tuple(CACHES)), metadata=KNOWN)
    """Whose prices of cached input count; see ``CACHES``."""
    cache_read: float | None = field(default=None, validator=validators.optional(validators.ge(0)), metadata=KNOWN)
    """What a cached token costs, relative to a plain one, where ``cache`` does not say it."""
    cache_write: float | None = field(default=None, validator=validators.optional(validators.ge(0)), metadata=KNOWN)
    """What a token costs that is not cached yet, likewise."""
    turns: int = field(default=10, validator=validators.gt(0), metadata=KNOWN)
    """Windows that are sent between two compactions, about: so often a token is paid for."""
    entry_share: float = _share(0.8, 0.15, 0.9)
    """A larger page enters the window shortened to this share of the budget; the log keeps it whole."""
    lossless_share: float = _share(0.95, 0.5, 1.0)
    """A lossless form enters if it has at most this share of the page's tokens."""
    surroundings: float = field(default=0.5, validator=validators.ge(0), metadata={"tune": (0.0, 1.5)})
    """Worth of a name's surroundings (its line) relative to the name's own."""
    statement: float = field(default=0.06, validator=validators.ge(0), metadata={"tune": (0.0, 0.3)})
    """Worth of a line of a user message, relative to a name that is as good as certain to be used again."""
    options: int = field(default=8, validator=validators.gt(0))
    """How many lengths of the standing prefix a compaction compares."""
    work: int = field(default=5000, validator=validators.gt(0))
    """Candidates times lengths compared at a compaction, about; bounds its time."""
    live: int = field(default=2000, validator=validators.gt(0))
    """Names examined at a compaction, or one for each eight tokens of the budget where that is more; bounds its time."""
    reach_tokens: int = field(default=48_000, validator=validators.gt(0))
    """Of a session that comes all at once, so many of the newest tokens are examined, or six budgets of them where that
    is more; bounds the first compaction."""
    talk_pages: int = field(default=2, validator=validators.ge(0), metadata={"tune": (1, 6)})
    """In a session of talk, so many newest pages stay whole."""
    talk_said_share: float = field(default=0.02, validator=[validators.ge(0), validators.le(1)], metadata=KNOWN)
    """In a session of talk, what the user wrote stands whole up to this share, and constraints in it up to as much again;
    the rest is covered like what everybody says."""
    talk_reach_tokens: int = field(default=30_000, validator=validators.gt(0))
    """In a session of talk, so many of the newest tokens are covered; what is older is paged out whole."""
    talk_growth_share: float = _share(0.5, 0.1, 0.6)
    """In a session of talk, room left free by a compaction, about, unless it is the first window asked for."""

    def costs(self) -> tuple[float, float]:
        """What a token costs until the next compaction: one that stays cached, and one that is new; in plain tokens."""
        read, write = CACHES[self.cache]
        read = read if self.cache_read is None else self.cache_read
        write = write if self.cache_write is None else self.cache_write
        return self.turns * read, write + (self.turns - 1) * read
