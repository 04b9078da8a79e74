"""A model's short forms of pages, as offers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from lamina.protocols import CompressRequest, Shortened
from lamina_compressor_llm._api import UnusableError
from lamina_compressor_llm._cache import Cache, Texts
from lamina_compressor_llm._endpoint import Endpoint, NoAnswerError
from lamina_compressor_llm._fit import fit
from lamina_compressor_llm._limits import Cost
from lamina_compressor_llm._prompt import Count, Job, checked, job_of, prompt, understand

if TYPE_CHECKING:
    from lamina_compressor_llm import LlmSettings

_FRAME_TOKENS = 20
"""Of the messages that a request is made of."""


class LlmCompressor:
    """Offers, for each target, what a model wrote for the page, cut to it.

    A page is asked for once, whatever the targets: what is asked depends on its texts alone.
    """

    deterministic = False

    def __init__(self, settings: LlmSettings, endpoint: Endpoint, cache: Cache, logger: Any) -> None:
        self._settings, self._endpoint, self._cache, self._logger = settings, endpoint, cache, logger
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def compress(self, request: CompressRequest) -> Sequence[Shortened]:
        """Offers for the pages that the endpoint has an answer for; at most one per target.

        Only pages above the smallest target are asked for. Never raises for what the endpoint does: the pages
        without an answer are named in one line of the log.
        """
        least = min(request.targets, default=None)
        if least is None:
            return []
        pages = [page for page in request.pages if page.tokens > max(least, self._settings.min_tokens)]
        jobs = [job for page in pages if (job := job_of(page, request.count, self._settings)) is not None]
        failures: dict[int, NoAnswerError] = {}
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self._texts(job, request.count, failures)) for job in jobs]
        self._tell(failures, request.session)
        made: list[Shortened] = []
        for job, task in zip(jobs, asked, strict=True):
            texts = task.result()
            if texts is not None:
                made += fit(job, texts, request.targets, request.count)
        return made

    async def _texts(self, job: Job, count: Count, failures: dict[int, NoAnswerError]) -> Texts | None:
        # Equal pages of one request, or of several sessions, are paid for once.
        lock = self._asking.get(job.hash)
        if lock is None:
            lock = self._asking[job.hash] = asyncio.Lock()
        async with lock:
            known, texts = await self._cache.get(job.hash)
            if known and texts is not None:
                try:
                    return checked(texts, job)
                except UnusableError:
                    self._cache.drop(job.hash)  # what is stored was damaged or tampered with
            elif known:
                return None
            try:
                texts = await self._ask(job, count)
            except NoAnswerError as error:
                failures[job.page.id] = error
                if error.final:
                    await self._cache.put(job.hash, None)
                return None
            await self._cache.put(job.hash, texts)
            return texts

    async def _ask(self, job: Job, count: Count) -> Texts:
        system, user = prompt(job, self._settings.instructions)
        # Twice what is asked for, as JSON escapes cost tokens and the model's are not the session's.
        limit = 2 * job.asked_tokens + 100 + self._settings.thinking_tokens
        cost = Cost(sum(count([system, user])) + _FRAME_TOKENS, limit)
        return await self._endpoint.ask(system, user, cost, lambda answer: understand(answer, job))

    def _tell(self, failures: dict[int, NoAnswerError], session: str) -> None:
        for quiet in (False, True):
            pages = {page: error.why for page, error in failures.items() if error.quiet == quiet}
            if pages:
                log = self._logger.debug if quiet else self._logger.warning
                why = "; ".join(dict.fromkeys(pages.values()))
                log("nothing offered", session=session, pages=sorted(pages), why=why)
