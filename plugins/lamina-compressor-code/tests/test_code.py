import ast
import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lamina.protocols import CompressRequest
from lamina.testing import LoneHost
from lamina.testing.pages import count_words, pages, texts, tool_page
from lamina_compressor_code import CodeSettings, _languages, open_code
from lamina_compressor_code._languages import LANGUAGES, by_content, by_path
from lamina_compressor_code._outline import outline

SHARED = Path(os.environ.get("LAMINA_SHARED") or Path(__file__).resolve().parents[4] / "shared")
quick = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
BUNDLED = ["python", "javascript", "typescript", "tsx"]

PYTHON = '''"""A module.

It says more.
"""

import os
from pathlib import Path

LIMIT = 10


@dataclass
class Session(Base):
    """One conversation.

    With pages.
    """

    id: str
    pages: list[Page] = field(factory=list)

    @property
    def last(self) -> Page:
        return self.pages[-1]

    async def add(self, *messages: Message, group: str | None = None) -> None:
        """Log messages.

        Args:
            messages: In order.
        """
        for message in messages:
            self.pages.append(message)
            await self.log(message)
        return None


def größe(数: int) -> int:
    a = 数
    b = a + 1
    c = b + 1
    d = c + 1
    return d


if __name__ == "__main__":
    main()
'''

OUTLINE = '''"""A module."""

import os
from pathlib import Path

LIMIT = 10


@dataclass
class Session(Base):
    """One conversation."""

    id: str
    pages: list[Page] = field(factory=list)

    @property
    def last(self) -> Page:
        return self.pages[-1]

    async def add(self, *messages: Message, group: str | None = None) -> None:
        """Log messages."""
        … lines 32–35


def größe(数: int) -> int:
    … lines 39–43


if __name__ == "__main__":
    main()
'''


def compress(*given, **options):
    async def ask():
        async with open_code(CodeSettings(**{"min_lines": 5, **options}), LoneHost(Path())) as part:
            request = CompressRequest(pages=given, resident=(), targets=(100,), count=count_words)
            return list(await part.compress(request))

    return asyncio.run(ask())


def numbered(text, first=1):
    return "\n".join(f"{i:>6}→{line}" for i, line in enumerate(text.split("\n"), start=first))


def shown(*use, **options):
    [offer] = compress(tool_page(12, use), **options)
    return offer.texts[1, 0]


def test_signatures_stay_and_bodies_go():
    assert outline(PYTHON, "python", first_line=1, max_literal=10) == OUTLINE


def test_a_numbered_file_is_read_without_its_numbers_and_names_what_is_left_out_by_them():
    text = shown("Read", '{"file_path": "/a.py"}', numbered(PYTHON) + "\n\n<note>\n")
    assert text == f"[outline of python in page 12; bodies: expand 12]\n{OUTLINE}\n\n<note>\n"
    snippet = shown("Read", '{"file_path": "/a.py", "offset": 101}', "Here it is:\n" + numbered(PYTHON, 101))
    assert snippet.startswith("Here it is:\n[outline of python in page 12; bodies: expand 12]\n")
    assert "… lines 139–143" in snippet


def test_without_numbers_the_lines_that_went_are_counted():
    text = shown("Bash", '{"command": "cat src/a.py | head -100"}', PYTHON)
    assert "    … 5 lines\n" in text


def test_a_piece_of_a_class_keeps_its_indentation():
    piece = texts()["code"].replace("        return", "        value += 1\n" * 5 + "        return")
    made = outline(piece, "python", first_line=None, max_literal=10)
    assert made.startswith("    def method_0(self, value: int) -> int:\n        … 6 lines\n")


def test_what_a_call_writes_is_outlined_in_its_arguments():
    arguments = json.dumps({"file_path": "/a.py", "content": PYTHON, "mode": 420})
    [offer] = compress(tool_page(12, ("Write", arguments, "ok")))
    made = json.loads(offer.texts[0, 0])
    assert made == {
        "file_path": "/a.py",
        "content": f"[outline of python in page 12; bodies: expand 12]\n{OUTLINE}",
        "mode": 420,
    }
    assert compress(tool_page(12, ("Write", arguments, "ok")), arguments=False) == []


SOURCES = {
    "javascript": (
        (
            "import x from 'y';\n/**\n * Adds.\n * Much more.\n */\nexport function add(a, b) {\n%s}\n"
            "const mul = async (a) => {\n%s};\nexport default class A extends B {\n  static n = 1;\n  get it() {\n%s  }\n}\n"
        ),
        [
            "import x",
            "/** Adds. */",
            "function add(a, b) { … ",
            "mul = async (a) => { … ",
            "class A extends B",
            "static n",
            "get it() { … ",
        ],
    ),
    "typescript": (
        (
            "interface Page { id: number; text: string }\nexport class S<T> implements I {\n  private a: T[] = [];\n"
            "  constructor(readonly n: number) {\n%s  }\n  async go(x: T): Promise<void> {\n%s  }\n}\ntype K = keyof Page;\n"
        ),
        [
            "interface Page { id: number; text: string }",
            "private a: T[]",
            "constructor(readonly n: number) { … ",
            "go(x: T): Promise<void> { … ",
            "type K",
        ],
    ),
    "go": (
        'package main\n\nimport "fmt"\n\ntype S struct {\n\tA int\n}\n\nfunc (s *S) Go(n int) error {\n%s}\n\nfunc main() {\n%s}\n',
        ["package main", 'import "fmt"', "A int", "func (s *S) Go(n int) error { … ", "func main() { … "],
    ),
    "rust": (
        "use std::io;\n\n/// A page.\npub struct Page {\n    id: u32,\n}\n\nimpl Page {\n    pub fn new(id: u32) -> Self {\n%s    }\n}\n",
        ["use std::io;", "/// A page.", "id: u32,", "impl Page {", "pub fn new(id: u32) -> Self { … "],
    ),
    "java": (
        (
            "package a.b;\n\nimport java.util.List;\n\n/**\n * A page.\n * More.\n */\npublic class Page {\n    private int id;\n"
            "    public Page(int id) {\n%s    }\n    @Override\n    public String toString() {\n%s    }\n}\n"
        ),
        [
            "import java.util.List;",
            "/** A page. */",
            "private int id;",
            "public Page(int id) { … ",
            "public String toString() { … ",
        ],
    ),
}


@pytest.mark.parametrize("language", SOURCES)
def test_each_language_keeps_its_heads(language):
    pytest.importorskip(LANGUAGES[language].module)
    template, heads = SOURCES[language]
    text = template.replace("%s", "        work(1);\n" * 12)
    made = outline(text, language, first_line=1, max_literal=10)
    assert [head for head in heads if head not in made] == []
    assert "work" not in made
    assert by_content(text) == language


def test_a_function_around_the_whole_file_is_looked_into():
    text = (
        "(function (window) {\n"
        + "".join(f"  function f{i}(a) {{\n" + "    a++;\n" * 9 + "  }\n" for i in range(5))
        + "})(window);\n"
    )
    made = outline(text, "javascript", first_line=1, max_literal=10)
    assert all(f"function f{i}(a) {{ … " in made for i in range(5))


def test_long_literals_keep_their_first_line():
    text = "ROUTES = [\n" + "".join(f"    ('/page/{i}', view_{i}),\n" for i in range(30)) + "]\nLAST = 1\n"
    assert outline(text, "python", first_line=1, max_literal=10) == "ROUTES = [ … lines 2–31\n]\nLAST = 1\n"


@pytest.mark.parametrize(
    ("path", "language"),
    [("/a/b.py", "python"), ("x.TSX", "tsx"), ("a.mjs", "javascript"), ("Makefile", None), ("a.py/b", None)],
)
def test_the_language_is_that_of_the_path(path, language):
    assert by_path(path) == language


def test_prose_logs_and_json_are_no_code():
    for kind in ("prose", "logs", "json", "json lines", "chinese", "one line", "crlf", "blank"):
        assert by_content(texts()[kind]) is None
    assert compress(tool_page(12, ("Read", '{"path": "notes.md"}', PYTHON))) == []


def test_a_grammar_that_is_not_installed_makes_no_offer(monkeypatch):
    monkeypatch.setitem(sys.modules, "tree_sitter_python", None)
    _languages.parser.cache_clear()
    assert compress(tool_page(12, ("Read", '{"path": "a.py"}', PYTHON))) == []
    _languages.parser.cache_clear()


def test_text_that_is_not_of_the_language_makes_no_offer():
    assert outline("}} )) ((( <<< ??? !!!\n" * 60, "python", first_line=1, max_literal=3) is None


@quick
@given(
    st.sampled_from(BUNDLED),
    st.lists(
        st.sampled_from([*"ab (){}[]:;,.'\"\\\n\t#/*=>", "def f():\n", "class A {\n", "=> {", "ü", "数"]), max_size=200
    ).map("".join),
)
@example("python", 'def f():\n    """')
@example("javascript", "/*")
def test_any_text_has_an_outline_or_none(language, text):
    made = outline(text, language, first_line=1, max_literal=2)
    assert made is None or made.encode() is not None


@st.composite
def modules(draw, depth=0):
    """Python source: functions, classes and statements, nested, with and without docstrings."""
    pad = "    " * depth
    made = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["def", "class", "import", "value"]))
        name = f"{kind}_{draw(st.integers(0, 99))}"
        doc = draw(st.sampled_from(["", '"""Doc."""\n', '"""Doc.\n\nMore.\n"""\n', "'''\nDoc\n'''\n"]))
        doc = "".join(f"{pad}    {line}\n" for line in doc.splitlines())
        if kind == "def":
            body = "".join(f"{pad}    x{i} = {i}\n" for i in range(draw(st.integers(1, 9))))
            made.append(f"{pad}{draw(st.sampled_from(['', 'async ']))}def {name}(a, *, b=1):\n{doc}{body}")
        elif kind == "class" and depth < 2:
            made.append(f"{pad}class {name}:\n{doc}{draw(modules(depth + 1))}")
        elif kind == "import":
            made.append(f"{pad}import {name}\n")
        else:
            made.append(f"{pad}{name} = 1\n")
    return "".join(made)


@quick
@given(modules())
def test_every_function_class_and_import_stays_and_it_is_still_python(source):
    """The standard library's parser is the oracle."""
    made = outline(source, "python", first_line=None, max_literal=10)
    after = ast.parse(made.replace("…", "pass  #"))

    def heads(tree):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import)
        return [(type(n), getattr(n, "name", None) or n.names[0].name) for n in ast.walk(tree) if isinstance(n, kinds)]

    assert heads(after) == heads(ast.parse(source))
    assert len(made) <= len(source)


def test_no_part_of_any_page_fails():
    assert all(0 <= offer.covers <= 1 for offer in compress(*pages()))


def test_recorded_sources_become_outlines():
    folder = SHARED / "data" / "claude_code"
    if not folder.is_dir():
        pytest.skip("no recordings: set LAMINA_SHARED")
    before = after = 0
    for path in sorted(folder.glob("*/*.jsonl")):
        calls = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            content = (json.loads(line).get("message") or {}).get("content")
            for part in content if isinstance(content, list) else ():
                if part.get("type") == "tool_use":
                    calls[part["id"]] = part
                elif part.get("type") == "tool_result" and isinstance(part["content"], str):
                    call = calls.get(part["tool_use_id"])
                    named = call and str(call["input"].get("file_path", ""))
                    if (
                        not call
                        or call["name"] != "Read"
                        or not named.endswith((".py", ".js"))
                        or len(part["content"]) < 4000
                    ):
                        continue
                    page = tool_page(1, ("Read", json.dumps(call["input"]), part["content"]))
                    before += page.tokens
                    after += min([page.tokens, *(count_words([o.texts[1, 0]])[0] for o in compress(page))])
    assert before > 10_000
    assert after < 0.5 * before
