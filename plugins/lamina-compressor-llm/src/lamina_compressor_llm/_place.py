"""Where the endpoint is, and the key to it. Nothing here puts a key, or what may be one, into a message."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from attrs import frozen

from lamina.errors import ConfigError

if TYPE_CHECKING:
    from lamina_compressor_llm import LlmSettings

_PATHS = {"openai": "/chat/completions", "anthropic": "/v1/messages"}
"""What is added to the base address.

Source: the providers' own clients, which take the same base addresses (openai-python: ``https://api.openai.com/v1``,
anthropic-sdk-python: ``https://api.anthropic.com``).
"""


@frozen
class Place:
    """The address that calls go to."""

    secure: bool
    host: str
    port: int
    target: str
    """Path and query."""

    @property
    def exposed(self) -> bool:
        """Whether what is sent can be read on the way."""
        return not self.secure and self.host not in ("localhost", "::1") and not self.host.startswith("127.")


def place_of(settings: LlmSettings, name: str) -> Place:
    """The address of the settings.

    Raises:
        ConfigError: It is none; it is not repeated in the message where it may hold a password.
    """
    try:
        url = urlsplit(settings.url)
        port = url.port
    except ValueError:
        raise _wrong(name, "url", "is no address; write it like https://api.openai.com/v1") from None
    if "@" in url.netloc:
        raise _wrong(name, "url", "holds a user or password; leave them out, and name the key by key_env")
    if url.scheme not in ("http", "https") or not url.hostname or not re.fullmatch(r"[!-~]+", settings.url):
        raise _wrong(name, "url", "is no http or https address; write it like https://api.openai.com/v1")
    secure = url.scheme == "https"
    return Place(secure, url.hostname, port or (443 if secure else 80), _target(settings.api, url))


def _target(api: str, url: SplitResult) -> str:
    path, end = url.path.rstrip("/"), _PATHS[api]
    if path.endswith(end):
        end = ""
    elif path.endswith("/v1") and end.startswith("/v1/"):
        end = end.removeprefix("/v1")
    return f"{path}{end}" + (f"?{url.query}" if url.query else "")


def key_of(settings: LlmSettings, name: str) -> str:
    """The key, from the environment; empty where none is needed.

    Raises:
        ConfigError: There is none.
    """
    variable = settings.key_env
    if variable is None:
        return ""
    if not re.fullmatch(r"[A-Z][A-Z0-9_]*", variable) and variable not in os.environ:
        # It may be the key itself, by mistake.
        raise _wrong(name, "key_env", 'names no environment variable that is set; write key_env = "OPENAI_API_KEY"')
    key = os.environ.get(variable, "").strip()
    if not key:
        raise _wrong(name, "key_env", f"{variable} is not set in the environment; export it, or leave key_env out")
    if not re.fullmatch(r"[!-~]+", key):
        raise _wrong(name, "key_env", f"what {variable} holds is no key: it has spaces or letters beyond ASCII")
    return key


def _wrong(name: str, setting: str, what: str) -> ConfigError:
    return ConfigError([f"compressors.{name}.{setting}: {what}"])
