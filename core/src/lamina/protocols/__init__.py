"""What each kind of plugin must be able to do.

Strategies are ordinary objects that satisfy one of these protocols; nothing needs to be inherited. Each method
takes one request value, so that fields can be added later without breaking what exists: **read the fields you
know, and construct requests by keyword**. :data:`PROTOCOL` is the version that offers are registered under.

The conformance suite of each kind (:mod:`lamina.testing`) says in tests what is said here in words.
"""

from __future__ import annotations

from lamina.protocols._compressing import Compressor, CompressRequest, Shortened, is_deterministic
from lamina.protocols._counting import Counter, CounterInfo, CountRequest, ImagesRequest, RequestCounter, ToolsRequest
from lamina.protocols._formats import (
    ExportRequest,
    Format,
    Parsed,
    ParseRequest,
    Passage,
    RenderRequest,
    TellingFormat,
    everything,
)
from lamina.protocols._indexing import (
    Document,
    Embedder,
    EmbedRequest,
    Filter,
    Index,
    IndexHit,
    IndexUpdate,
    SearchRequest,
)
from lamina.protocols._kinds import KINDS, PROTOCOL, Opener
from lamina.protocols._ranking import Candidate, Ranked, Ranker, RankRequest
from lamina.protocols._scoring import Scorer, ScoreRequest
from lamina.protocols._storage import (
    Capability,
    Commit,
    Get,
    Record,
    Scan,
    Size,
    SizeRequest,
    SizingStorage,
    Storage,
    measured,
)
from lamina.protocols._tiers import Capacity, Placement, PlaceRequest, Tier
from lamina.protocols._tools import ExecuteRequest, Executor, Tool, ToolSpec
from lamina.protocols._windows import (
    AdmitRequest,
    Digest,
    DigestTokens,
    Entry,
    Excerpt,
    Note,
    PagedOut,
    Pager,
    Plan,
    PlanRequest,
    Pressure,
    Rendition,
    Verbatim,
)

__all__ = [
    "KINDS",
    "PROTOCOL",
    "AdmitRequest",
    "Candidate",
    "Capability",
    "Capacity",
    "Commit",
    "CompressRequest",
    "Compressor",
    "CountRequest",
    "Counter",
    "CounterInfo",
    "Digest",
    "DigestTokens",
    "Document",
    "EmbedRequest",
    "Embedder",
    "Entry",
    "Excerpt",
    "ExecuteRequest",
    "Executor",
    "ExportRequest",
    "Filter",
    "Format",
    "Get",
    "ImagesRequest",
    "Index",
    "IndexHit",
    "IndexUpdate",
    "Note",
    "Opener",
    "PagedOut",
    "Pager",
    "ParseRequest",
    "Parsed",
    "Passage",
    "PlaceRequest",
    "Placement",
    "Plan",
    "PlanRequest",
    "Pressure",
    "RankRequest",
    "Ranked",
    "Ranker",
    "Record",
    "RenderRequest",
    "Rendition",
    "RequestCounter",
    "Scan",
    "ScoreRequest",
    "Scorer",
    "SearchRequest",
    "Shortened",
    "Size",
    "SizeRequest",
    "SizingStorage",
    "Storage",
    "TellingFormat",
    "Tier",
    "Tool",
    "ToolSpec",
    "ToolsRequest",
    "Verbatim",
    "everything",
    "is_deterministic",
    "measured",
]
