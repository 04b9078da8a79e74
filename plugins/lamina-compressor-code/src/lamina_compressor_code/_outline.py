"""The outline of a source text."""

from __future__ import annotations

from typing import Any

from attrs import define, field, frozen

from lamina_compressor_code._languages import LANGUAGES, parser

_MAX_BROKEN = 0.3
_WRAPPER = 0.6
_SHORT_LINES, _SHORT_BYTES = 3, 120
_LITERALS = frozenset(
    {"dictionary", "list", "set", "tuple", "string", "object", "array", "template_string", "composite_literal"}
    | {"raw_string_literal", "interpreted_string_literal", "array_expression", "array_initializer", "jsx_element"}
)
_COMMENTS = frozenset({"comment", "block_comment"})


@frozen
class _Edit:
    start: int
    end: int
    text: str


@define
class _Walk:
    """One walk over the tree, in the order of the source."""

    source: bytes
    language: str
    first_line: int | None
    max_literal: int
    edits: list[_Edit] = field(factory=list)
    broken: int = 0

    def run(self, root: Any) -> None:
        functions = LANGUAGES[self.language].functions
        stack = [root]
        while stack:
            node = stack.pop()
            if node.type == "ERROR" and node is not root:
                self.broken += node.end_byte - node.start_byte
            # What stands on one line stays; so most of the tree is never looked at.
            if node.start_point[0] == node.end_point[0]:
                continue
            body = node.child_by_field_name("body") if node.type in functions else None
            if body is not None and not self._wraps(node, body):
                self._body(body)
                stack += [child for child in reversed(node.children) if child.end_byte <= body.start_byte]
            elif node.type in _COMMENTS:
                self._comment(node)
            elif node.type == "expression_statement" and _is_text(node):
                self._docstring(node.named_children[0])
            elif node.type in _LITERALS and _lines(node) > self.max_literal:
                self._literal(node)
            else:
                stack += reversed(node.children)

    def _wraps(self, node: Any, body: Any) -> bool:
        """Whether it is a nameless function around nearly all of the source (a module, a test suite)."""
        inner = body.end_byte - body.start_byte
        return node.child_by_field_name("name") is None and inner > _WRAPPER * len(self.source)

    def _body(self, body: Any) -> None:
        start, end = body.start_byte, body.end_byte
        if body.type == "block" and self.source[start : start + 1] != b"{":  # Python
            inner = [child for child in body.named_children if child.type != "comment"]
            if inner and inner[0].type == "expression_statement" and _is_text(inner[0]):
                if _lines(inner[0]) > 1:
                    self._docstring(inner[0].named_children[0])
                inner = inner[1:]
            if inner:
                self._cut(inner[0].start_byte, end, inner[0].start_point[0], inner[-1].end_point[0])
        elif self.source[start : start + 1] == b"{":
            first, last = body.start_point[0] + 1, body.end_point[0] - 1
            if last >= first:
                self._cut(start + 1, end - 1, first, last, before=" ", after=" ")
        else:  # the expression of an arrow function
            self._cut(start, end, body.start_point[0], body.end_point[0])

    def _cut(self, start: int, end: int, first: int, last: int, *, before: str = "", after: str = "") -> None:
        if last - first < _SHORT_LINES and end - start <= _SHORT_BYTES:
            return
        self.edits.append(_Edit(start, end, f"{before}{self._left_out(first, last)}{after}"))

    def _left_out(self, first: int, last: int) -> str:
        if self.first_line is None:
            return f"… {last - first + 1} lines" if last > first else "…"
        a, z = first + self.first_line, last + self.first_line
        return f"… lines {a}–{z}" if z > a else f"… line {a}"

    def _docstring(self, node: Any) -> None:
        text = self.source[node.start_byte : node.end_byte]
        quotes = text[-3:] if text[-3:] in (b'"""', b"'''") else b""
        opening = text.find(quotes) + 3 if quotes else 0
        said = text[opening:].lstrip()
        line = said.split(b"\n", 1)[0].rstrip()
        if quotes and b"\n" in text and len(line) + len(quotes) < len(said):
            made = text[:opening] + line.removesuffix(quotes) + quotes
            self.edits.append(_Edit(node.start_byte, node.end_byte, made.decode("utf-8", "replace")))

    def _comment(self, node: Any) -> None:
        text = self.source[node.start_byte : node.end_byte]
        if not text.startswith(b"/*"):
            return
        said = text[2:-2].lstrip(b"*").strip().lstrip(b"* ").split(b"\n", 1)[0].strip()
        made = (b"/** " if text.startswith(b"/**") else b"/* ") + said + b" */"
        if len(made) < len(text):
            self.edits.append(_Edit(node.start_byte, node.end_byte, made.decode("utf-8", "replace")))

    def _literal(self, node: Any) -> None:
        text = self.source[node.start_byte : node.end_byte]
        at = text.index(b"\n")
        first, last = node.start_point[0] + 1, node.end_point[0] - 1
        ending = text[text.rindex(b"\n") :]
        made = f" {self._left_out(first, last)}".encode() + ending
        self.edits.append(_Edit(node.start_byte + at, node.end_byte, made.decode("utf-8", "replace")))


def outline(text: str, language: str, *, first_line: int | None, max_literal: int) -> str | None:
    """The text without the bodies of its functions; O(n).

    Imports, heads of classes and functions, fields and constants stay; docstrings and block comments keep their
    first line, long literals theirs.

    Args:
        text: The source; it may be a piece of a file, all lines indented.
        language: A key of :data:`LANGUAGES`.
        first_line: The number of its first line in its file, or ``None`` where that is not known.
        max_literal: Literals of more lines are cut.

    Returns:
        ``None`` where the grammar is not installed, or the text is hardly of this language.
    """
    made = parser(language)
    if made is None:
        return None
    lines = text.split("\n")
    indent = min((len(line) - len(line.lstrip(" \t")) for line in lines if line.strip()), default=0)
    margin = next((line[:indent] for line in lines if line.strip()), "")
    if not all(line.startswith(margin) for line in lines if line.strip()):
        margin = ""
    source = "\n".join(line.removeprefix(margin) for line in lines).encode("utf-8", "surrogatepass")
    walk = _Walk(source, language, first_line, max_literal)
    walk.run(made.parse(source).root_node)
    if walk.broken > _MAX_BROKEN * len(source):
        return None
    out: list[bytes] = []
    at = 0
    for edit in sorted(walk.edits, key=lambda edit: edit.start):
        if edit.start >= at:
            out += (source[at : edit.start], edit.text.encode("utf-8", "surrogatepass"))
            at = edit.end
    out.append(source[at:])
    shown = b"".join(out).decode("utf-8", "surrogatepass")
    if not margin:
        return shown
    return "\n".join(margin + line if line.strip() else line for line in shown.split("\n"))


def _lines(node: Any) -> int:
    return int(node.end_point[0] - node.start_point[0] + 1)


def _is_text(statement: Any) -> bool:
    return len(statement.named_children) == 1 and statement.named_children[0].type == "string"
