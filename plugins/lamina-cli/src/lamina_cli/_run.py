"""One command line: finds the command among the plugins, reads its arguments, runs it, tells what went wrong."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from lamina.config import installed
from lamina.errors import ConfigError, DuplicatePluginError
from lamina.plugins import Catalogue, Command, add
from lamina_cli._failures import UsageError, told, wrong
from lamina_cli._output import say

USAGE = "lamina [options] COMMAND …"

OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "--config": {"metavar": "FILE", "help": "the configuration file (default: lamina.toml or pyproject.toml here)"},
    "--profile": {"metavar": "NAME", "help": "the installed profile to start from"},
    "--home": {"metavar": "DIR", "help": "the folder that sessions and memories are kept in"},
    "--namespace": {"metavar": "NAME", "help": "the tenant; nothing of one is visible in another"},
    "--set": {
        "metavar": "KEY=VALUE",
        "action": "append",
        "help": "one setting, such as window.pager=keep-last; may be repeated",
    },
    "--debug": {"action": "store_true", "help": "show tracebacks"},
}
"""The options of every command, given before or after its name."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        wrong(f"{message}; see {self.prog} --help")


def run(argv: Sequence[str]) -> int:
    """Run a command line and give its exit code; every error becomes one line on standard error."""
    debug = "--debug" in _options(argv)
    try:
        code = _command(argv)
        sys.stdout.flush()
    except SystemExit as done:  # argparse's --help
        return done.code if isinstance(done.code, int) else 1
    except BaseException as error:  # noqa: BLE001 - nobody above could say it better
        if debug and not isinstance(error, BrokenPipeError | KeyboardInterrupt):
            import traceback

            traceback.print_exception(error)
        text, code = told(error)
        if text:
            _tell(text)
        _silence()
    return code


def _tell(text: str) -> None:
    with contextlib.suppress(OSError):  # where nobody listens any more
        sys.stdout.flush()
        say(f"lamina: {text}", sys.stderr)


def _silence() -> None:
    """Keep the interpreter from complaining when it flushes into a closed pipe on its way out."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _options(argv: Sequence[str]) -> list[str]:
    """The arguments up to ``--``, behind which nothing is an option."""
    return list(argv[: argv.index("--")] if "--" in argv else argv)


def _command(argv: Sequence[str]) -> int:
    at = 0
    while at < len(argv) and argv[at].startswith("-") and argv[at] != "-":
        at += 2 if "=" not in argv[at] and "metavar" in OPTIONS.get(argv[at], {}) else 1
    before, name, rest = argv[:at], argv[at] if at < len(argv) else None, argv[at + 1 :]
    first = _Parser(prog="lamina", usage=USAGE, add_help=False, allow_abbrev=False)
    first.add_argument("-h", "--help", action="store_true")
    first.add_argument("-V", "--version", action="store_true")
    _add_options(first, OPTIONS)
    early = first.parse_args(before)
    if early.version:
        import lamina

        say(f"lamina {lamina.__version__}")
        return 0
    catalogue, fault = _installed(argv)
    if early.help or name is None:
        say(_help(catalogue), sys.stdout if early.help else sys.stderr)
        return 0 if early.help else 2
    command = _find(catalogue, name, fault)
    arguments = _arguments(command, early, rest)
    arguments.catalogue = catalogue
    return command.run(arguments)


def _installed(argv: Sequence[str]) -> tuple[Catalogue, ConfigError | None]:
    """What is installed; where the configuration file cannot be read, our own commands and the fault.

    Without the file nobody knows what it blocks, so nothing of others is imported.
    """
    files = list(_given("--config", argv))
    try:
        settings = tree(list(_given("--set", argv)))
    except UsageError:
        settings = {}  # said when the arguments are read
    try:
        return installed(files[-1] if files else None, settings=settings), None
    except ConfigError as error:
        from lamina_cli import commands

        own = Catalogue()
        from lamina.hookspecs import Hooks

        own.manager.add_hookspecs(Hooks)
        add(own, commands, "lamina-cli")
        return own, error


def _given(option: str, argv: Sequence[str]) -> Iterator[str]:
    """The values of an option, wherever it stands."""
    line = _options(argv)
    for at, argument in enumerate(line):
        if argument == option and at + 1 < len(line):
            yield line[at + 1]
        elif argument.startswith(f"{option}="):
            yield argument.partition("=")[2]


def _find(catalogue: Catalogue, name: str, fault: ConfigError | None) -> Command:
    found = catalogue.commands.get(name, [])
    if len(found) > 1:
        raise DuplicatePluginError("command", name, found[0].distribution, found[1].distribution)
    if found:
        return found[0]
    if fault is not None:
        raise fault
    import difflib

    near = difflib.get_close_matches(name, catalogue.commands, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(sorted(catalogue.commands))}"
    broken = (
        f"; broken plugins that may offer it: {', '.join(b.distribution for b in catalogue.broken)} (lamina doctor)"
    )
    raise UsageError(f"no command {name!r}; {hint}{broken if catalogue.broken else ''}")


def _help(catalogue: Catalogue) -> str:
    parser = _Parser(
        prog="lamina", usage=USAGE, add_help=False, description="Virtual memory for the context of agents."
    )
    parser.add_argument("-h", "--help", action="store_true", help="show this; after a command: its arguments")
    parser.add_argument("-V", "--version", action="store_true", help="show the version")
    _add_options(parser, OPTIONS)
    wide = max((len(name) for name in catalogue.commands), default=0)
    lines = [f"  {name:{wide}}  {offers[0].help}" for name, offers in catalogue.commands.items()]
    return parser.format_help() + "\ncommands:\n" + "\n".join(lines)


def _add_options(parser: argparse._ActionsContainer, options: Mapping[str, Mapping[str, Any]], at: str = "") -> None:
    for option, facts in options.items():
        parser.add_argument(option, dest=f"{at}{option.removeprefix('--')}", **facts)


def _arguments(command: Command, early: argparse.Namespace, rest: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(prog=f"lamina {command.name}", description=command.help.capitalize() + ".", allow_abbrev=False)
    command.configure(parser)
    taken = {option for action in parser._actions for option in action.option_strings}
    ours = {option: facts for option, facts in OPTIONS.items() if option not in taken}
    _add_options(parser.add_argument_group("options of every command"), ours, "every_")
    try:
        # Behind "--" nothing is an option, which only the plain way understands.
        arguments = (parser.parse_args if "--" in rest else parser.parse_intermixed_args)(list(rest))
    except TypeError:  # the command has subcommands or takes the remainder: those cannot be mixed with options
        arguments = parser.parse_args(list(rest))
    given: dict[str, Any] = {}
    for option in OPTIONS:
        name = option.removeprefix("--")
        earlier = getattr(early, name)
        if option not in ours:
            if earlier:
                wrong(f"{command.name} has a {option} of its own; give it after the command's name")
            continue
        later = arguments.__dict__.pop(f"every_{name}")
        given[name] = [*(earlier or ()), *(later or ())] if option == "--set" else later or earlier
    settings = tree(given.get("set") or [])
    if given.get("home"):
        settings["home"] = str(Path(given["home"]).expanduser().absolute())
    if given.get("namespace"):
        settings["namespace"] = given["namespace"]
    values = {k: given.get(k) for k in ("config", "profile", "debug")}
    for name, value in {**values, "settings": settings}.items():
        if name not in arguments:
            setattr(arguments, name, value)
    return arguments


def tree(sets: Sequence[str]) -> dict[str, Any]:
    """Settings in the shape of ``lamina.toml`` from ``KEY=VALUE``; a value is read as TOML, or as text.

    Raises:
        UsageError: One of them is no setting.
    """
    made: dict[str, Any] = {}
    for text in sets:
        key, equals, value = text.partition("=")
        keys = [k.strip() for k in key.split(".")]
        if not equals or not all(keys):
            wrong(f"--set {text}: write KEY=VALUE, such as --set window.pager=keep-last")
        node = made
        for k in keys[:-1]:
            node = node.setdefault(k, {})
            if not isinstance(node, dict):
                wrong(f"--set {text}: {k!r} was set to a value before, and cannot be a table as well")
        # As in the environment: outside of any table all but the seed is text.
        node[keys[-1]] = value if len(keys) == 1 and keys[0] != "seed" else _value(value)
    return made


def _value(text: str) -> Any:
    try:
        read = tomllib.loads(f"v = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return read["v"] if len(read) == 1 else text
