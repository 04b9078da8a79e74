"""``lamina plugins``: what is installed, and what of it the configuration uses."""

from __future__ import annotations

import argparse
from typing import Any

from lamina import LaminaError
from lamina.plugins import Catalogue
from lamina_cli._context import add_json, configuration
from lamina_cli._output import note, plural, say, write_json
from lamina_cli._tables import Table, show
from lamina_cli._use import used


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """List every offer; a configuration that is not valid is said, and stops nothing."""
    catalogue: Catalogue = arguments.catalogue
    fault, in_use, profile = None, None, None
    try:
        config = configuration(arguments)
        in_use = used(config)
        profile = catalogue.profile(config.top.profile)[0]
    except LaminaError as error:
        fault = str(error)
    rows = _rows(catalogue, in_use, profile)
    if arguments.json:
        write_json(
            {
                "plugins": rows,
                "broken": [{"distribution": b.distribution, "why": b.why} for b in catalogue.broken],
                "blocked": list(catalogue.blocked),
                "configuration_error": fault,
            }
        )
        return 0
    listed = Table(["kind", "name", "~distribution", "version", "~used"])
    for row in rows:
        listed.add(row["kind"], row["name"], row["distribution"], row["version"] or "–", _use(row))
    show(listed)
    for broken in catalogue.broken:
        say(f"broken: {broken.distribution}: {broken.why}")
    if catalogue.blocked:
        say(f"blocked by [plugins]: {', '.join(catalogue.blocked)}")
    if fault is not None:
        note(f"what is used is not known: {fault}")
    elif not catalogue.broken:
        say(f"{plural(len(rows), 'offer')} by {plural(len(catalogue.loaded), 'distribution')}")
    return 0


def _rows(
    catalogue: Catalogue, in_use: dict[tuple[str, str], list[str]] | None, profile: str | None
) -> list[dict[str, Any]]:
    known = in_use or {}
    rows = [
        (kind, name, offer.distribution, (kind, name) in known, known.get((kind, name), []))
        for (kind, name), offers in catalogue.offers.items()
        for offer in offers
    ]
    rows += [
        ("profile", name, distribution, name == profile, [])
        for name, offers in catalogue.profiles.items()
        for distribution, _ in offers
    ]
    rows += [
        ("command", name, command.distribution, True, [])
        for name, commands in catalogue.commands.items()
        for command in commands
    ]
    return [
        {
            "kind": kind,
            "name": name,
            "distribution": distribution,
            "version": catalogue.loaded.get(distribution),
            "used": None if in_use is None else yes,
            "instances": sorted(instances),
        }
        for kind, name, distribution, yes, instances in sorted(rows)
    ]


def _use(row: dict[str, Any]) -> str:
    if not row["used"]:
        return "?" if row["used"] is None else "no"
    others = [name for name in row["instances"] if name != row["name"]]
    return f"yes, as {', '.join(row['instances'])}" if others else "yes"
