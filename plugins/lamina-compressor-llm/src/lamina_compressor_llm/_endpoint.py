"""Asking the endpoint: retries, budget, and the pause after repeated failure."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from lamina.kit.http import BrokenError, Place, Reply, post, retry_after_s
from lamina_compressor_llm import _api
from lamina_compressor_llm._limits import Breaker, Budget, Cost

if TYPE_CHECKING:
    from lamina_compressor_llm import LlmSettings

T = TypeVar("T")

MOST_BYTES = 4_000_000
"""No answer is read further."""
_MOST_WAIT_S = 30.0
_OF_THE_PAGE = frozenset({400, 413, 422})
"""Statuses that say that this request is refused, as one that is too long for the model is."""


class NoAnswerError(Exception):
    """There is no answer for a page.

    Args:
        why: For the log.
        quiet: Whether the log has been told already.
        final: Whether the page need not be asked for again.
    """

    def __init__(self, why: str, *, quiet: bool = False, final: bool = False) -> None:
        super().__init__(why)
        self.why, self.quiet, self.final = why, quiet, final


class Endpoint:
    """One endpoint, and what may be spent on it for as long as it is open.

    Args:
        settings: The compressor's.
        place: Where it is.
        key: The key to it; empty for none.
        clock: Unix time in seconds.
        random: For the waits.
        logger: Told when asking pauses and when the budget is spent.
        sleep: Waits so many seconds.
    """

    def __init__(
        self, settings: LlmSettings, place: Place, key: str, *, clock: Callable[[], float], random: random.Random,
        logger: Any, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:  # fmt: skip
        self._settings, self._place, self._key = settings, place, key
        self._clock, self._random, self._logger, self._sleep = clock, random, logger, sleep
        self.budget = Budget(settings.max_calls, settings.max_input_tokens, settings.max_output_tokens)
        self._breaker = Breaker(settings.breaker_failures, settings.breaker_s, clock)
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._spent = False

    async def ask(self, system: str, user: str, cost: Cost, understand: Callable[[str], T]) -> T:
        """What ``understand`` makes of the model's answer.

        Args:
            system: What the model is told.
            user: The texts.
            cost: Tokens that are sent, and the most that may be answered.
            understand: Reads the answer; raises ``UnusableError`` where it is of no use.

        Raises:
            NoAnswerError: There is none that can be used.
        """
        async with self._slots:
            if not self._breaker.enter():
                raise NoAnswerError("asking pauses", quiet=True)
            with self._judged():
                answer = await self._answer(_api.body(self._settings, system, user, cost.output_tokens), cost)
                try:
                    if answer.unusable is not None:
                        raise _api.UnusableError(answer.unusable)
                    return understand(answer.text)
                except _api.UnusableError as error:
                    raise NoAnswerError(f"the answer is {error}", final=True) from None

    @contextmanager
    def _judged(self) -> Iterator[None]:
        """Tell the breaker how it went."""
        try:
            yield
        except NoAnswerError as error:
            if error.quiet:
                self._breaker.left()
                raise
            wait_s = error.wait_s if isinstance(error, _LaterError) else 0.0
            pause_s = self._breaker.failed(wait_s)
            if pause_s:
                self._logger.warning("asking pauses", server=self._place.host, pause_s=round(pause_s, 1), why=error.why)
            raise
        except BaseException:
            self._breaker.left()
            raise
        self._breaker.succeeded()

    async def _answer(self, body: bytes, cost: Cost) -> _api.Answer:
        failure = ""
        for attempt in range(self._settings.retries + 1):
            if not self.budget.charge(cost):
                self._tell_spent()
                raise NoAnswerError(failure or "the budget is spent", quiet=not failure)
            wait_s = 0.0
            try:
                reply = await post(
                    self._place, _api.headers(self._settings, self._key), body, self._settings.timeout_s, MOST_BYTES
                )
            except TimeoutError:
                # Not tried again: it has been waited for, and the provider may bill it.
                raise NoAnswerError(f"no answer within {self._settings.timeout_s:g} s") from None
            except BrokenError as error:
                failure = f"the connection failed ({error.why})"
                if not error.sent:
                    self.budget.correct(cost, Cost(0, 0))
            else:
                if reply.status == 200:
                    return self._read(reply, cost)
                self.budget.correct(cost, Cost(0, 0))  # errors are not billed
                failure = f"status {reply.status}{self._hidden(_api.error_of(reply.body))}"
                if reply.status not in (408, 429) and reply.status < 500:
                    raise NoAnswerError(failure, final=reply.status in _OF_THE_PAGE)
                wait_s = retry_after_s(reply.retry_after, self._clock()) or 0.0
                if wait_s > self._settings.timeout_s:
                    raise _LaterError(f"{failure}, to be asked again in {wait_s:.0f} s", wait_s)
            if attempt < self._settings.retries:
                await self._sleep(wait_s + self._jitter(attempt))
        raise NoAnswerError(f"{failure}, {self._settings.retries + 1} calls")

    def _read(self, reply: Reply, cost: Cost) -> _api.Answer:
        if len(reply.body) > MOST_BYTES:
            return _api.Answer("", "longer than any page", None, None)
        try:
            answer = _api.read(self._settings.api, reply.body)
        except _api.FailedError as error:
            raise NoAnswerError(self._hidden(str(error))) from None
        used = Cost(
            cost.input_tokens if answer.input_tokens is None else answer.input_tokens,
            cost.output_tokens if answer.output_tokens is None else answer.output_tokens,
        )
        self.budget.correct(cost, used)
        return answer

    def _jitter(self, attempt: int) -> float:
        """Seconds to wait before the next call.

        Source:
            M. Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): full jitter.
        """
        return self._random.uniform(0, min(_MOST_WAIT_S, self._settings.backoff_s * 2**attempt))

    def _tell_spent(self) -> None:
        if not self._spent:
            self._spent = True
            self._logger.warning(
                "the budget is spent; no more is asked that does not fit the rest",
                calls=self.budget.calls,
                input_tokens=self.budget.input_tokens,
                output_tokens=self.budget.output_tokens,
            )

    def _hidden(self, text: str) -> str:
        """The text, unless a server put the key into what looked like a code."""
        return "" if self._key and self._key in text else text


class _LaterError(NoAnswerError):
    """The server asked to be left alone for longer than a call may take."""

    def __init__(self, why: str, wait_s: float) -> None:
        super().__init__(why)
        self.wait_s = wait_s
