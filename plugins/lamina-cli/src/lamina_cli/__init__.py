"""The command line of lamina.

Its commands come from plugins by the hook ``register_command``; the main ones are offered by
:mod:`lamina_cli.commands` in the same way as anybody else's.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # as in typing, whose import would cost more than all that --version needs
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line, without the program's name; ``sys.argv`` by default.

    Returns:
        The exit code: 0 done, 1 the job failed, 2 used wrongly, 130 interrupted.
    """
    given = sys.argv[1:] if argv is None else list(argv)
    # Before anything is imported, so that asking for the version feels instant.
    if given and given[0] in ("--version", "-V"):
        import lamina

        sys.stdout.write(f"lamina {lamina.__version__}\n")
        return 0
    from lamina_cli._run import run

    return run(given)
