"""Asking the service: the call, what is tried again, and what its answer must be.

Source:
    OpenAI, "Create embeddings", https://platform.openai.com/docs/api-reference/embeddings/create: ``model``, ``input``,
    ``encoding_format``, ``dimensions``; the answer's ``data[].index`` and ``.embedding``.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import re
from array import array
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lamina.errors import EmbeddingError
from lamina.kit.http import BrokenError, Place, Reply, post, retry_after_s

if TYPE_CHECKING:
    from lamina_embedder_http import HttpSettings

MOST_BYTES = 200_000_000
"""No answer is read further."""

MOST_BACKOFF_S = 30.0

_SLUG = re.compile(r"[A-Za-z0-9_.-]{1,60}")


class Service:
    """The service, and how often it is asked.

    Args:
        settings: The embedder's.
        place: Where it is.
        key: The key to it; empty for none.
        clock: Unix time in seconds.
        random: For the waits.
        sleep: Waits so many seconds.
    """

    def __init__(
        self, settings: HttpSettings, place: Place, key: str, *, clock: Callable[[], float], random: random.Random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:  # fmt: skip
        self._settings, self._place, self._key = settings, place, key
        self._clock, self._random, self._sleep = clock, random, sleep
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._quiet_until_s = 0.0
        """Until then the service wants no calls."""

    async def vectors(self, texts: Sequence[str]) -> list[array[float]]:
        """The vectors of at most a batch of texts, of length 1.

        Raises:
            EmbeddingError: There are none; says why.
        """
        body = self._body(texts)
        failure = ""
        for attempt in range(self._settings.retries + 1):
            await self._await_turn()
            async with self._slots:
                outcome = await self._call(body)
            if isinstance(outcome, Reply) and outcome.status == 200:
                return self._read(outcome.body, len(texts))
            failure = self._why(outcome)
            if isinstance(outcome, Reply):
                self._heed(outcome, failure)
            if attempt < self._settings.retries:
                await self._sleep(self._jitter(attempt))
        raise self._error(f"{failure}, {self._settings.retries + 1} calls; try again later")

    async def _call(self, body: bytes) -> Reply | str:
        """The answer, or why there is none."""
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "lamina"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        try:
            return await post(self._place, headers, body, self._settings.timeout_s, MOST_BYTES)
        except TimeoutError:
            return f"no answer within {self._settings.timeout_s:g} s (timeout_s)"
        except BrokenError as error:
            return f"the connection failed ({error.why})"

    def _body(self, texts: Sequence[str]) -> bytes:
        asked: dict[str, Any] = {"model": self._settings.model, "input": list(texts), "encoding_format": "float"}
        if self._settings.shorten:
            asked["dimensions"] = self._settings.dimensions
        return json.dumps(asked, ensure_ascii=True).encode()

    async def _await_turn(self) -> None:
        """Wait until the service wants calls again: what it says to one call holds for all."""
        left = self._quiet_until_s - self._clock()
        if left > 0:
            # A clock that was set back must not make the wait longer.
            await self._sleep(min(left, self._settings.most_wait_s))

    def _heed(self, reply: Reply, failure: str) -> None:
        """Note how long the service wants to be left alone.

        Raises:
            EmbeddingError: It refuses for good, or for longer than is waited.
        """
        if reply.status not in (408, 429) and reply.status < 500:
            raise self._error(f"{failure}; {_remedy(reply.status)}")
        wait_s = retry_after_s(reply.retry_after, self._clock()) or 0.0
        if wait_s > self._settings.most_wait_s:
            raise self._error(f"{failure}, to be asked again in {wait_s:.0f} s, longer than most_wait_s")
        if wait_s:
            self._quiet_until_s = max(self._quiet_until_s, self._clock() + wait_s)

    def _jitter(self, attempt: int) -> float:
        """Seconds to wait before the next call.

        Source:
            M. Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): full jitter.
        """
        return self._random.uniform(0, min(MOST_BACKOFF_S, self._settings.backoff_s * 2**attempt))

    def _read(self, data: bytes, n_texts: int) -> list[array[float]]:
        told = _json(data)
        rows = told.get("data") if isinstance(told, Mapping) else None
        if not isinstance(rows, list) or len(rows) != n_texts:
            raise self._error(
                f"answered {n_texts} texts with something else than as many vectors; is it an embeddings API?"
            )
        found: dict[int, array[float]] = {}
        for at, row in enumerate(rows):
            index = row.get("index", at) if isinstance(row, Mapping) else None
            if type(index) is not int or not 0 <= index < n_texts or index in found:
                raise self._error(f"answered with a vector for no text: index {index!r:.40}")
            found[index] = self._unit(row.get("embedding"))
        return [found[index] for index in range(n_texts)]

    def _unit(self, numbers: Any) -> array[float]:
        if not isinstance(numbers, list) or len(numbers) != self._settings.dimensions:
            many = f"{len(numbers)} numbers" if isinstance(numbers, list) else "no list"
            raise self._error(
                f"model {self._settings.model!r} gave a vector of {many}, not {self._settings.dimensions}; set dimensions"
            )
        try:
            length = math.hypot(*numbers)
        except TypeError:
            length = math.nan
        if not math.isfinite(length):
            raise self._error("gave a vector that holds something else than finite numbers")
        return array("f", [x / length for x in numbers] if length else numbers)

    def _why(self, outcome: Reply | str) -> str:
        if isinstance(outcome, str):
            return outcome
        told = _json(outcome.body)
        error = told.get("error") if isinstance(told, Mapping) else None
        # Its message is left out: it may quote key or content.
        named = [error.get(name) for name in ("type", "code")] if isinstance(error, Mapping) else []
        said = [name for name in dict.fromkeys(named) if isinstance(name, str) and _SLUG.fullmatch(name)]
        said = [name for name in said if not self._key or self._key not in name]
        return f"status {outcome.status}" + (f" ({', '.join(said)})" if said else "")

    def _error(self, what: str) -> EmbeddingError:
        return EmbeddingError(f"{self._place.host}: {what}")


def _remedy(status: int) -> str:
    match status:
        case 401 | 403:
            return "check the key that key_env names"
        case 404:
            return "check url and model"
        case 400 | 413 | 422:
            return "a text may be too long for the model: lower characters or batch"
    return "check url"


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
