"""Writes docs/reference.md: every public module with its public names, each by the first line of its docstring.

``python tests/workspace/_reference.py`` writes the page; a test compares it with the code.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType

import lamina

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"

HEAD = """# Reference

The public modules and names of the distribution `lamina`, each by the first line of its documentation. What is not listed is
private: names with an underscore, and modules with one, may change in any release. `lamina.protocols` is versioned by kind
(`lamina.protocols.PROTOCOLS`); plugins import from the modules below and from nothing else.

This page is written from the code (`nox -s reference`), and a test compares it.
"""


def modules() -> list[ModuleType]:
    """The public modules, by name."""
    found = [lamina.__name__]
    for info in pkgutil.walk_packages(lamina.__path__, "lamina."):
        if not any(part.startswith("_") for part in info.name.split(".")) and ".fakes" not in info.name:
            found.append(info.name)
    return [importlib.import_module(name) for name in sorted(found)]


def names(module: ModuleType) -> list[str]:
    """The public names that are made in a module, or listed in its ``__all__``."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return sorted(listed)
    own = [
        n
        for n, v in vars(module).items()
        if not n.startswith("_") and getattr(v, "__module__", None) == module.__name__
    ]
    return sorted(n for n in own if inspect.isclass(getattr(module, n)) or inspect.isroutine(getattr(module, n)))


def line(value: object) -> str:
    """The first line of a docstring."""
    said = inspect.getdoc(value) if inspect.isclass(value) or inspect.isroutine(value) else ""
    return (said or "").partition("\n")[0].replace("|", "\\|")


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for module in modules():
        first = (module.__doc__ or "").strip().partition("\n")[0]
        parts.append(f"\n## `{module.__name__}`\n\n{first}\n")
        rows = [f"| `{name}` | {line(getattr(module, name))} |" for name in names(module)]
        if rows:
            parts.append("\n| name | |\n|---|---|\n" + "\n".join(rows) + "\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
