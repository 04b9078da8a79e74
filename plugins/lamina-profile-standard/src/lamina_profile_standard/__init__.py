"""The standard profile of lamina: what a person wants on one machine."""

from __future__ import annotations

from typing import Any

from lamina.hookspecs import RegisterProfile, hookimpl

STANDARD: dict[str, Any] = {
    "window": {
        "pager": "coverage",
        "counter": "tiktoken",
        "scorer": "liveness",
        "compressors": ["structural", "truncate"],
        "format": "openai",
    },
    "log": {"storage": "main"},
    "memory": {"tiers": ["short", "medium", "long"], "indexes": ["main"], "ranker": "learned"},
    "storages": {"main": {"use": "sqlite", "path": "lamina.db"}},
    "indexes": {"main": {"use": "lexical", "path": "lexical.db"}},
    "tiers": {
        "short": {"storage": "main"},
        "medium": {"storage": "main"},
        "long": {"storage": "main"},
    },
    "calls": {"executor": "local", "grants": "rules"},
    "tools": {"recall": {}, "expand": {}, "remember": {}},
}
"""One SQLite file for logs and memories, one lexical index with a learned ranking, exact counts, tools in this process by rules."""


@hookimpl
def register_profile(register: RegisterProfile) -> None:
    """Offer ``standard``."""
    register("standard", STANDARD)
