"""``lamina trust``: let a configuration file that lies in a working folder set everything."""

from __future__ import annotations

import argparse
from pathlib import Path

from lamina import trust
from lamina.config import guarded_keys, read_file
from lamina_cli._context import add_json
from lamina_cli._failures import JobError
from lamina_cli._output import say, visible, write_json


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="the file (default: lamina.toml or pyproject.toml in the working folder)",
    )
    parser.add_argument("--revoke", action="store_true", help="trust it no longer")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Remember the content of the file as trusted, or forget that, and say what of it needs trust."""
    # Not what $LAMINA_CONFIG names: that needs none.
    file, given = read_file(arguments.file or arguments.config, {})
    if file is None:
        raise JobError("no lamina.toml and no [tool.lamina] in a pyproject.toml here; name the file")
    keys, place = guarded_keys(given, arguments.catalogue), Path(file).absolute()
    if arguments.revoke:
        trust.distrust(given, place)
    elif keys:
        trust.trust(given, place)
    trusted = trust.is_trusted(given)
    if arguments.json:
        write_json({"file": str(place), "trusted": trusted, "keys": list(keys)})
        return 0
    said = "is trusted until what it sets changes" if trusted else "is not trusted"
    say(f"{visible(str(place))} {said}; what it sets that needs trust: {visible(', '.join(keys)) or 'nothing'}")
    return 0
