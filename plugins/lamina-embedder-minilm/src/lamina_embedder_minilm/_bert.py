"""A BERT encoder in numpy, as far as sentence vectors need one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Bert:
    """Gives the mean of a text's last hidden states.

    Args:
        config: The model's ``config.json``.
        arrays: Its weights by name.

    Raises:
        KeyError: A weight or an entry of the configuration is missing.

    Source:
        Devlin et al. 2019, "BERT"; Reimers and Gurevych 2019, "Sentence-BERT", for the pooling.
    """

    def __init__(self, config: Mapping[str, Any], arrays: Mapping[str, Floats]) -> None:
        self.size = int(config["hidden_size"])
        self.positions = int(config["max_position_embeddings"])
        self._heads = int(config["num_attention_heads"])
        self._epsilon = np.float32(config["layer_norm_eps"])
        self._words = arrays["embeddings.word_embeddings.weight"]
        # Every text is of the first type.
        self._places = (
            arrays["embeddings.position_embeddings.weight"] + arrays["embeddings.token_type_embeddings.weight"][0]
        )
        self._norm = _pair(arrays, "embeddings.LayerNorm")
        self._layers = [_Layer(arrays, f"encoder.layer.{n}.") for n in range(int(config["num_hidden_layers"]))]

    def embed(self, ids: Ints, mask: Floats) -> Floats:
        """``(n_texts, size) float32``, not normalised.

        Args:
            ids: ``(n_texts, n_tokens)``, padded with anything legal.
            mask: Of the same shape: 1 for tokens, 0 for padding; each text has a token.
        """
        hidden = _normalised(self._words[ids] + self._places[: ids.shape[1]], self._norm, self._epsilon)
        hidden_from = ((1 - mask) * np.float32(-1e9))[:, None, None, :]
        for layer in self._layers:
            hidden = layer.forward(hidden, hidden_from, self._heads, self._epsilon)
        summed = (hidden * mask[:, :, None]).sum(axis=1)
        return np.asarray(summed / mask.sum(axis=1, keepdims=True), np.float32)


class _Layer:
    def __init__(self, arrays: Mapping[str, Floats], at: str) -> None:
        names = [f"{at}attention.self.{name}" for name in ("query", "key", "value")]
        # One product for the three.
        self._attend = (
            np.ascontiguousarray(np.concatenate([arrays[f"{name}.weight"] for name in names]).T),
            np.concatenate([arrays[f"{name}.bias"] for name in names]),
        )
        self._out = _linear(arrays, f"{at}attention.output.dense")
        self._norm = _pair(arrays, f"{at}attention.output.LayerNorm")
        self._widen = _linear(arrays, f"{at}intermediate.dense")
        self._narrow = _linear(arrays, f"{at}output.dense")
        self._last = _pair(arrays, f"{at}output.LayerNorm")

    def forward(self, hidden: Floats, mask: Floats, heads: int, epsilon: np.float32) -> Floats:
        many, tokens, size = hidden.shape
        all_three = (hidden @ self._attend[0] + self._attend[1]).reshape(many, tokens, 3, heads, size // heads)
        query, key, value = (all_three[:, :, n].transpose(0, 2, 1, 3) for n in range(3))
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(size // heads)) + mask
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed = (scores @ value).transpose(0, 2, 1, 3).reshape(many, tokens, size)
        hidden = _normalised(hidden + mixed @ self._out[0] + self._out[1], self._norm, epsilon)
        inner = _gelu(hidden @ self._widen[0] + self._widen[1])
        return _normalised(hidden + inner @ self._narrow[0] + self._narrow[1], self._last, epsilon)


def _linear(arrays: Mapping[str, Floats], name: str) -> tuple[Floats, Floats]:
    return np.ascontiguousarray(arrays[f"{name}.weight"].T), arrays[f"{name}.bias"]


def _pair(arrays: Mapping[str, Floats], name: str) -> tuple[Floats, Floats]:
    return arrays[f"{name}.weight"], arrays[f"{name}.bias"]


def _normalised(values: Floats, by: tuple[Floats, Floats], epsilon: np.float32) -> Floats:
    centred = values - values.mean(axis=-1, keepdims=True)
    spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + epsilon)
    return np.asarray(centred / spread * by[0] + by[1], np.float32)


def _gelu(x: Floats) -> Floats:
    """``x`` times the normal distribution's share below it.

    Source:
        Abramowitz and Stegun 1964, 7.1.26: the error function to 1.5e-7; numpy has none.
    """
    z = np.abs(x) * np.float32(0.70710678)
    t = 1 / (1 + np.float32(0.3275911) * z)
    tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * np.float32(1.061405429)))))
    tail *= np.exp(-z * z)
    # erf is odd: below 0 the tail itself is what is left.
    return np.asarray(x * np.where(x < 0, tail * np.float32(0.5), 1 - tail * np.float32(0.5)), np.float32)
