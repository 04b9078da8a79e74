"""Recordings for integration tests: the project's own sample, and real ones where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def shared() -> Path | None:
    """The folder with real recordings and independent scorers, which is no part of the repository."""
    place = Path(os.environ.get("LAMINA_SHARED") or ROOT.parent / "shared")
    return place if (place / "data").is_dir() else None


@pytest.fixture(scope="session")
def sample():
    """The project's own sample session."""
    return ROOT / "docs" / "examples" / "sample-session.jsonl"


@pytest.fixture(scope="session")
def data():
    """Real recordings; tests that need them skip where they are absent."""
    place = shared()
    if place is None:
        pytest.skip("real recordings are not at hand (set LAMINA_SHARED to the folder that holds data/ and bench/)")
    return place / "data"


@pytest.fixture(scope="session")
def bench():
    """The independent scorers."""
    place = shared()
    if place is None:
        pytest.skip("the independent scorers are not at hand (set LAMINA_SHARED)")
    return place / "bench"


@pytest.fixture(scope="session")
def recordings(data):
    """Every real recording."""
    files = [*data.glob("claude_code/**/*.jsonl"), *data.glob("tau_bench/*.jsonl"), *data.glob("swe_agent/*.jsonl")]
    return sorted(f for f in files if f.name != "MANIFEST.jsonl")
