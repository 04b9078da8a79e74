"""A replay as one page for a browser: everything is in it, and nothing is loaded."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from hashlib import sha256
from html import escape as escaped
from importlib.resources import files
from string import Template
from typing import Any

from lamina_command_replay._data import Data, data_of
from lamina_command_replay._replay import Outcome
from lamina_command_replay._report import known

_SCRIPTS = ("dom.js", "charts.js", "asked.js", "report.js")


def as_html(budget: int, outcomes: Sequence[Outcome], version: str) -> str:
    """The page; the same for the same replay.

    Args:
        budget: Tokens of each window.
        outcomes: What was replayed, with traces.
        version: Of the program, for the last line.
    """
    folder = files("lamina_command_replay") / "report"
    style = (folder / "style.css").read_text("utf-8")
    script = "\n".join((folder / name).read_text("utf-8") for name in _SCRIPTS)
    data = data_of(budget, outcomes)
    page = Template((folder / "page.html").read_text("utf-8"))
    return page.substitute(
        policy=escape(_policy(style, script)),
        style=style,
        script=script,
        data=as_script(data.value),
        title=escape(_title(budget, data)),
        summary=escape(_summary(data)),
        table=_table(data),
        notes="".join(f"<li>{escape(note)}</li>" for note in data.notes),
        version=escape(version),
    )


def as_script(value: Any) -> str:
    """JSON that may stand in a script element, whatever texts are in it."""
    text = _writable(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _writable(text: str) -> str:
    """The text without halves of surrogate pairs: a recording or a path may hold some, and no file can."""
    return text.encode("utf-8", "replace").decode()


def escape(text: str) -> str:
    """The text, as it may stand between tags or in an attribute."""
    return escaped(_writable(text))


def _policy(style: str, script: str) -> str:
    """Lets the browser run and load nothing but what is written here, should any text ever get out of its place."""

    def allowed(text: str) -> str:
        return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"

    return f"default-src 'none'; style-src {allowed(style)}; script-src {allowed(script)}; base-uri 'none'; form-action 'none'"


def _title(budget: int, data: Data) -> str:
    sessions = data.sessions
    return f"{sessions:,} session{'s' * (sessions != 1)} replayed at {budget:,} tokens"


def _summary(data: Data) -> str:
    first = data.figures[0]
    return (
        f"{first['steps']:,} windows, {first['pressed']:,} of them pressed: the full history exceeds the budget. "
        f"All figures but steps, over and broken are taken over these. {_lost(data)}"
    )


def _lost(data: Data) -> str:
    """In how many windows the newest request was lost."""
    if not any(figures["requested"] for figures in data.figures):
        return "Before none of them a user had asked for anything."
    told = []
    for name, figures in zip(data.names, data.figures, strict=True):
        # Configurations that count differently have not the same pressed steps.
        requested = figures["requested"]
        under = f" under {name}" if len(data.names) > 1 else ""
        told.append(f"{requested - figures['asked_whole']:,} of {requested:,} windows{under}")
    return f"The newest request was lost, wholly or in part, in {', '.join(told)}."


_COLUMNS = (
    ("retention", "retention"),
    ("context", "context"),
    ("asked", "asked"),
    ("said", "said"),
    ("first", "first"),
    ("todo", "to-do"),
    ("far_faults", "far faults"),
    ("bill", "bill"),
    ("over", "over"),
    ("broken", "broken"),
    ("thin", "thin"),
    ("steps", "steps"),
    ("pressed", "pressed"),
    ("needed", "needed"),
    ("repairs", "repairs"),
)


def _table(data: Data) -> str:
    head = "".join(f'<th scope="col">{title}</th>' for _, title in _COLUMNS)
    rows = []
    for name, figures in zip(data.names, data.figures, strict=True):
        cells = "".join(f'<td data-figure="{key}">{_cell(key, figures)}</td>' for key, _ in _COLUMNS)
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    return f'<thead><tr><th scope="col">configuration</th>{head}</tr></thead><tbody>{"".join(rows)}</tbody>'


def _cell(key: str, figures: dict[str, Any]) -> str:
    value = figures[key]
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3f}" if known(key, figures) else "–"
