"""``lamina doctor``: whether everything works, and what to do where it does not."""

from __future__ import annotations

import argparse
import asyncio
import platform
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal, TextIO

from attrs import asdict, frozen

import lamina
from lamina import Config
from lamina.config import TABLES
from lamina.context import open_part
from lamina.errors import ConfigError
from lamina.plugins import Catalogue
from lamina.protocols import Capability, Commit, Counter, CountRequest, Get, Storage
from lamina_cli._context import add_json, configuration
from lamina_cli._failures import FAILED, told
from lamina_cli._output import busy, is_terminal, number, plural, say, visible, write_json
from lamina_cli._tables import width
from lamina_cli._use import named

TESTED = (3, 14)
"""The newest Python that the tests run on."""

Status = Literal["ok", "warn", "fail"]


@frozen
class Check:
    """One thing that was looked at."""

    name: str
    status: Status
    detail: str
    remedy: str = ""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Look at everything, whatever fails on the way; exit code 1 where anything does."""
    with busy("checking"):
        checks = asyncio.run(_all(arguments))
    failed = any(check.status == "fail" for check in checks)
    if arguments.json:
        write_json({"ok": not failed, "checks": [asdict(check) for check in checks]})
    else:
        _print(checks, sys.stdout)
    return FAILED if failed else 0


async def _all(arguments: argparse.Namespace) -> list[Check]:
    checks = [_python(), Check("lamina", "ok", lamina.__version__)]
    try:
        config = configuration(arguments)
    except Exception as error:  # noqa: BLE001 - whatever is wrong is what the user wants to know
        faults = error.faults if isinstance(error, ConfigError) else [told(error)[0]]
        # No remedy beside it: each fault says itself what to do.
        checks += [Check("configuration", "fail", fault) for fault in faults]
        return [*checks, *_plugins(arguments.catalogue)]
    where = f"profile {config.catalogue.profile(config.top.profile)[0] or 'none'}, file {config.file or 'none'}"
    checks.append(Check("configuration", "ok", where))
    checks += _plugins(arguments.catalogue)
    checks.append(_home(config))
    checks += [check async for check in _parts(config)]
    checks.append(await _context(config))
    return checks


def _python() -> Check:
    version = platform.python_version()
    if sys.version_info[:2] > TESTED:
        newest = ".".join(map(str, TESTED))
        return Check(
            "python", "warn", f"{version} is newer than what lamina was tested on", f"Python 3.11 to {newest} is sure"
        )
    return Check("python", "ok", f"{version}, {platform.system()}")


def _plugins(catalogue: Catalogue) -> list[Check]:
    checks = [
        Check(
            f"plugin {broken.distribution}", "warn", broken.why,
            f'repair it (pip install --upgrade {broken.distribution}), or block it: [plugins] block = ["{broken.distribution}"]',
        )
        for broken in catalogue.broken
    ]  # fmt: skip
    offered: dict[str, list[str]] = {}
    for (kind, name), offers in catalogue.offers.items():
        offered[f"{kind} {name!r}"] = [offer.distribution for offer in offers]
    for name, profiles in catalogue.profiles.items():
        offered[f"profile {name!r}"] = [distribution for distribution, _ in profiles]
    for name, commands in catalogue.commands.items():
        offered[f"command {name!r}"] = [command.distribution for command in commands]
    for what, by in offered.items():
        if len(by) > 1:
            remedy = f'uninstall one, or block it: [plugins] block = ["{by[-1]}"]'
            checks.append(Check(what, "warn", f"offered by {', '.join(by)}", remedy))
    blocked = f"; blocked: {', '.join(catalogue.blocked)}" if catalogue.blocked else ""
    checks.append(Check("plugins", "ok", f"{plural(len(catalogue.loaded), 'distribution')} loaded{blocked}"))
    return checks


def _home(config: Config) -> Check:
    home = Path(config.top.home).expanduser()
    if home.is_dir() or not home.exists():
        return Check("home", "ok", f"{home}{'' if home.exists() else ' (made when it is first needed)'}")
    return Check("home", "fail", f"{home} is no folder", "choose another: --home DIR, or home = … in lamina.toml")


async def _parts(config: Config) -> AsyncIterator[Check]:
    parts = dict.fromkeys([*named(config), *config.instances])
    for kind, name in parts:
        what = f"{TABLES[kind]}.{name}"
        try:
            async with open_part(config, kind, name) as part:
                use = config.instance(kind, name).use
                if kind == "counter":
                    yield _counts(what, part)
                elif kind == "storage":
                    yield await _keeps(what, part, log=name == config.log.storage)
                else:
                    yield Check(what, "ok", "opens" if use == name else f"{use} opens")
        except Exception as error:  # noqa: BLE001 - a part may raise anything; the next one is looked at all the same
            yield Check(what, "fail", told(error)[0], f"see [{what}] in lamina config, or choose another {kind}")


def _counts(what: str, counter: Counter) -> Check:
    (tokens,) = counter.count(CountRequest(texts=["hello world"]))
    info = counter.info
    if tokens <= 0:
        return Check(what, "fail", f"counts {tokens} tokens in 'hello world'", "choose another: [window] counter = …")
    exact = "exact" if info.exact else f"at most {info.bound:g} times too many"
    origin = f"; vocabulary: {info.origin}" if info.origin else ""
    return Check(what, "ok", f"{info.fingerprint}, {exact}; 'hello world' is {plural(tokens, 'token')}{origin}")


async def _keeps(what: str, storage: Storage, *, log: bool) -> Check:
    """Write, read and remove a record under a name that nothing else has."""
    key, value = f"doctor/{uuid.uuid4().hex}", uuid.uuid4().bytes
    await storage.commit(Commit(puts={key: value}))
    try:
        (found,) = await storage.get(Get(keys=[key]))
    finally:
        await storage.commit(Commit(deletes=frozenset({key})))
    if found is None or found.value != value:
        return Check(what, "fail", "does not give back what it was given", "restore it from a copy, or choose another")
    can = ", ".join(sorted(storage.capabilities)) or "nothing beyond the contract"
    if log and Capability.DURABLE not in storage.capabilities:
        return Check(what, "warn", f"writes and reads; {can}", 'sessions end with the process: [log] storage = "…" that is durable')  # fmt: skip
    return Check(what, "ok", f"writes and reads; {can}")


async def _context(config: Config) -> Check:
    try:
        async with lamina.open(config=config) as context:
            sessions: list[Any] = await context.sessions()
            held = await context.tier_counts()
    except Exception as error:  # noqa: BLE001 - as above
        return Check("context", "fail", told(error)[0], "see the lines above; lamina config shows every setting")
    memories = ", ".join(f"{name} {number(count)}" for name, count in held.items()) or "no tiers"
    return Check("context", "ok", f"{plural(len(sessions), 'session')}; memories: {memories}")


def _print(checks: list[Check], out: TextIO) -> None:
    wide = max(width(check.name) for check in checks)
    for check in checks:
        status = _coloured(check.status) if is_terminal(out) else check.status.ljust(4)
        say(f"{status}  {check.name:{wide}}  {visible(check.detail)}", out)
        if check.remedy and check.status != "ok":
            say(f"      {'':{wide}}  → {visible(check.remedy)}", out)
    bad = {status: sum(check.status == status for check in checks) for status in ("warn", "fail")}
    say(f"\n{plural(len(checks), 'check')}: {bad['fail']} failed, {plural(bad['warn'], 'warning')}", out)


def _coloured(status: Status) -> str:
    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stdout)  # knows NO_COLOR and what the terminal can do
    with console.capture() as written:
        console.print(Text(status.ljust(4), {"ok": "green", "warn": "yellow", "fail": "bold red"}[status]), end="")
    return written.get()
