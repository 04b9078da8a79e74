"""Languages: which a text is in, and their grammars."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from attrs import frozen


@frozen
class Language:
    """What an outline needs to know of a language."""

    module: str
    """The distribution's module that carries the grammar."""
    grammar: str
    """Its function that gives it."""
    suffixes: tuple[str, ...]
    signs: re.Pattern[str]
    """Lines that only this language has, or nearly."""
    functions: frozenset[str]
    """Types of nodes whose field ``body`` may go."""


_SCRIPT = frozenset(
    {"function_declaration", "function_expression", "generator_function_declaration", "generator_function"}
    | {"method_definition", "arrow_function"}
)
_SCRIPT_SIGNS = re.compile(
    r"(?:export |import .* from ['\"]|(?:async )?function\b|(?:const|let|var) \w+ = (?:require|async|\()|module\.exports)"
)

LANGUAGES: Mapping[str, Language] = {
    "python": Language(
        "tree_sitter_python",
        "language",
        (".py", ".pyi", ".pyw"),
        re.compile(r"\s*(?:(?:async )?def \w+\(.*|class \w+[(:].*|from [\w.]+ import .*|import [\w.]+( as \w+)?$|@\w+.*)"),
        frozenset({"function_definition"}),
    ),
    "typescript": Language(
        "tree_sitter_typescript",
        "language_typescript",
        (".ts", ".mts", ".cts"),
        re.compile(r"\s*(?:export )?(?:interface \w+ .*|type \w+ = .*|(?:public|private|readonly) \w+.*: .*|enum \w+ \{|(?:async )?\w+\(.*\): [\w<>\[\]| ]+ \{)"),
        _SCRIPT,
    ),
    "tsx": Language("tree_sitter_typescript", "language_tsx", (".tsx",), re.compile(r"(?!)"), _SCRIPT),
    "javascript": Language(
        "tree_sitter_javascript", "language", (".js", ".jsx", ".mjs", ".cjs"), _SCRIPT_SIGNS, _SCRIPT
    ),
    "go": Language(
        "tree_sitter_go",
        "language",
        (".go",),
        re.compile(r"package \w+$|func (?:\(\w+ \*?\w+\) )?\w+\(.*|type \w+ (?:struct|interface) \{"),
        frozenset({"function_declaration", "method_declaration", "func_literal"}),
    ),
    "rust": Language(
        "tree_sitter_rust",
        "language",
        (".rs",),
        re.compile(r"\s*(?:pub(?:\(\w+\))? )?(?:fn \w+.*[({<].*|impl\b.*\{|use [\w:]+.*;|struct \w+.*|enum \w+ \{|mod \w+.*)"),
        frozenset({"function_item"}),
    ),
    "java": Language(
        "tree_sitter_java",
        "language",
        (".java",),
        re.compile(r"\s*(?:package [\w.]+;|import [\w.]+(?:\.\*)?;|(?:public|private|protected) [\w<>\[\], ]+\(.*)"),
        frozenset({"method_declaration", "constructor_declaration", "compact_constructor_declaration"}),
    ),
}  # fmt: skip

_BY_SUFFIX = {suffix: name for name, language in LANGUAGES.items() for suffix in language.suffixes}
_SAMPLE = 400
_MIN_SIGNS = 4
_MIN_SHARE = 0.04


@cache
def parser(language: str) -> Any:
    """A parser, or ``None`` where the grammar is not installed."""
    known = LANGUAGES[language]
    try:
        grammar = importlib.import_module(known.module)
    except ImportError:
        return None
    import tree_sitter

    return tree_sitter.Parser(tree_sitter.Language(getattr(grammar, known.grammar)()))


def by_path(path: str) -> str | None:
    """The language of a file of this name."""
    return _BY_SUFFIX.get("." + path.rsplit(".", 1)[-1].lower()) if "." in path else None


def by_content(text: str) -> str | None:
    """The language that many lines of the text's beginning are signs of; O(1), at most 400 lines are read."""
    lines = [line for line in text.split("\n", _SAMPLE)[:_SAMPLE] if line.strip()]
    signs = {
        name: sum(language.signs.match(line[:200]) is not None for line in lines)
        for name, language in LANGUAGES.items()
    }
    if signs["typescript"] > 1:  # it has the signs of JavaScript too
        signs["typescript"] += signs["javascript"]
    best = max(signs, key=lambda name: signs[name])
    return best if signs[best] >= max(_MIN_SIGNS, _MIN_SHARE * len(lines)) else None
