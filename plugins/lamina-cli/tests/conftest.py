import io
import json
import os
import sys
from pathlib import Path

import pytest
from attrs import frozen

from lamina_cli import main


@frozen
class Ran:
    """What one command line came to."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self):
        return self.raw.decode()

    @property
    def json(self):
        return json.loads(self.raw)


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """Every test has a home and a working folder of its own, and no settings of the machine's."""
    for name in list(os.environ):
        if name.startswith("LAMINA_") and name != "LAMINA_SHARED":
            monkeypatch.delenv(name)
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("TERM", "xterm-256color")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.fixture(autouse=True, scope="session")
def one_vocabulary():
    """The standard counter, built once instead of with every command line: that halves the time of these tests."""
    from lamina_counter_tiktoken import _counter

    built, build = {}, _counter.build

    def once(vocabulary, data):
        if vocabulary.name not in built:
            built[vocabulary.name] = build(vocabulary, data)
        return built[vocabulary.name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_counter, "build", once)
        yield


@pytest.fixture
def lamina(capsysbinary, monkeypatch):
    """Runs a command line in this process."""

    def run(*argv, stdin=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
        capsysbinary.readouterr()
        code = main([str(a) for a in argv])
        out, err = capsysbinary.readouterr()
        return Ran(code, out, err.decode())

    return run


def talk(n=30, *, words=40, name="demo"):
    """A conversation in OpenAI's form: a system message, then turns with a call and a large result here and there."""
    messages = [{"role": "system", "content": "You are a careful engineer."}]
    for turn in range(n):
        messages.append({"role": "user", "content": f"Step {turn} of {name}: look at file_{turn}.py please."})
        if turn % 3 == 0:
            call = {"id": f"c{turn}", "type": "function", "function": {"name": "read", "arguments": "{}"}}
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            text = "\n".join(f"line {i} of file_{turn}: value_{turn}_{i}" for i in range(words))
            messages.append({"role": "tool", "tool_call_id": f"c{turn}", "content": text})
        messages.append({"role": "assistant", "content": f"Done with step {turn}; the port is {8000 + turn}."})
    return messages


@pytest.fixture
def chat():
    """Makes the messages of a conversation."""
    return talk


@pytest.fixture
def recorded(tmp_path):
    """Writes a recorded session and gives its path."""

    def write(name="demo.json", messages=None, **kwargs):
        path = tmp_path / "work" / name
        path.write_text(json.dumps(talk(**kwargs) if messages is None else messages, ensure_ascii=False))
        return path

    return write


@pytest.fixture
def several(tmp_path):
    """A file that holds three sessions."""
    path = tmp_path / "work" / "set.jsonl"
    sets = [{"id": f"talk-{n}", "messages": talk(3, name=f"talk-{n}")} for n in range(3)]
    path.write_text("".join(json.dumps(s) + "\n" for s in sets))
    return path


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Puts a distribution with a plugin on the path, as pip would, and takes it away again."""
    names = []

    def install(distribution, source):
        module = distribution.replace("-", "_")
        site = tmp_path / "site"
        info = site / f"{module}-1.2.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[lamina]\nplugin = {module}\n")
        (site / f"{module}.py").write_text(source)
        monkeypatch.syspath_prepend(str(site))
        names.append(module)

    yield install
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture
def terminal(monkeypatch):
    """Makes the streams say that a person is there, while a command runs."""

    def pretend(*, stdout=True, stderr=False, columns=100):
        from lamina_cli import _context, _output, _tables
        from lamina_cli.commands import doctor, import_files, pack, recall

        def is_terminal(stream):
            return (stdout and stream is sys.stdout) or (stderr and stream is sys.stderr)

        monkeypatch.setenv("COLUMNS", str(columns))
        for module in (_context, _output, _tables, doctor, import_files, pack, recall):
            if hasattr(module, "is_terminal"):
                monkeypatch.setattr(module, "is_terminal", is_terminal)

    return pretend


@pytest.fixture
def sample():
    """The project's own recorded session, in Claude Code's format."""
    return Path(__file__).parents[3] / "docs" / "examples" / "sample-session.jsonl"
