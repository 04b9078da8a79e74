"""HTML documents as text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_DOCUMENT = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?<(?:!doctype\s+html|html|body)\b", re.IGNORECASE)
_DROPPED = frozenset({"script", "style", "noscript", "template", "svg", "iframe", "object", "canvas", "select"})
_BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "caption", "dd", "details", "div", "dl", "dt", "fieldset"}
    | {"figcaption", "figure", "footer", "form", "header", "hr", "main", "nav", "ol", "option", "p", "pre"}
    | {"section", "summary", "table", "tbody", "thead", "title", "tr", "ul"}
)
_SPACES = re.compile(r"[ \t\r\f\v\n\xa0]+")


def is_document(text: str) -> bool:
    """Whether it is an HTML document (not a piece of one, and not one with line numbers)."""
    return _DOCUMENT.match(text) is not None


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = [""]
        self._dropped: str | None = None
        self._depth = 0
        self._pre = 0
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._dropped:
            self._depth += tag == self._dropped
        elif tag in _DROPPED:
            self._dropped, self._depth = tag, 1
        elif tag == "br":
            self._break()
        elif tag == "li":
            self._break()
            self.lines[-1] = "- "
        elif tag in ("td", "th"):
            self.lines[-1] += " | " if self.lines[-1].strip() else ""
        elif len(tag) == 2 and tag[0] == "h" and tag[1] in "123456":
            self._break()
            self.lines[-1] = "#" * int(tag[1]) + " "
        elif tag == "a":
            self._links.append(dict(attrs).get("href") or "")
        elif tag == "img" and dict(attrs).get("alt"):
            self._say(f"[{dict(attrs)['alt']}]")
        elif tag in _BLOCKS:
            self._pre += tag == "pre"
            self._break()

    def handle_endtag(self, tag: str) -> None:
        if self._dropped:
            if tag == self._dropped:
                self._depth -= 1
                self._dropped = self._dropped if self._depth else None
        elif tag == "a" and self._links:
            href = self._links.pop()
            # A link without a scheme and a place on the page leads nowhere from here.
            if href and not href.startswith(("#", "javascript:")):
                self.lines[-1] += f" ({href})"
        elif tag in _BLOCKS or (len(tag) == 2 and tag[0] == "h" and tag[1].isdigit()) or tag == "li":
            self._pre -= tag == "pre" and self._pre > 0
            self._break()

    def handle_data(self, data: str) -> None:
        if self._dropped:
            return
        if self._pre:
            first, *more = data.split("\n")
            self.lines[-1] += first
            self.lines += more
        else:
            self._say(data)

    def _say(self, text: str) -> None:
        text = _SPACES.sub(" ", text)
        line = self.lines[-1]
        self.lines[-1] += text.lstrip(" ") if not line or line.endswith(" ") else text

    def _break(self) -> None:
        if self.lines[-1].strip(" -#|"):
            self.lines.append("")
        else:
            self.lines[-1] = ""


def to_text(html: str) -> str:
    """What a reader sees: headings by ``#``, items by ``-``, cells by ``|``, links with their address.

    Scripts, styles and drawings are gone. Never raises: what is broken is read as browsers do, nearly.
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = [line.rstrip() for line in reader.lines]
    return "\n".join(line for i, line in enumerate(lines) if line or (i and lines[i - 1])).strip("\n")
