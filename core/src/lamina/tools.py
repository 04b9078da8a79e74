"""Tools: registry, grants, execution and results."""

from __future__ import annotations

import asyncio
import fnmatch
import time
from collections.abc import Callable, Sequence
from typing import Any

from lamina.config import CallSettings
from lamina.errors import ArgumentsError, DeniedError, ToolError, UnknownToolError
from lamina.model import Call, CallResult
from lamina.plugins import Catalogue
from lamina.protocols import ExecuteRequest, Executor, Tool, ToolSpec


class _ToolFailed(Exception):  # noqa: N818  carries a tool's own exception past whatever ran it
    """The tool itself raised; ``failure`` is what."""

    def __init__(self, failure: Exception) -> None:
        super().__init__(failure)
        self.failure = failure


class Registry:
    """The tools of a context, by name."""

    def __init__(
        self,
        settings: CallSettings,
        catalogue: Catalogue,
        executor: Executor | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._settings, self._catalogue, self._executor, self._clock = settings, catalogue, executor, clock
        self._tools: dict[str, Tool] = {}
        self._validators: dict[str, Any] = {}

    def register(self, tool: Tool) -> None:
        """Add a tool.

        Raises:
            ToolError: The name is taken, or is none that providers accept.
        """
        name = tool.spec.name
        if not name or len(name) > 64 or not name.replace("_", "").replace("-", "").isalnum() or not name.isascii():
            raise ToolError(f"tool name {name!r}: only letters, digits, _ and -, at most 64")
        if name in self._tools:
            raise ToolError(f"a tool named {name!r} is registered already")
        self._tools[name] = tool

    def specs(self, tag: str | None = None) -> list[ToolSpec]:
        """The tools as a model is shown them, by name; with a tag, those that carry it; denied ones left out."""
        specs = [tool.spec for _, tool in sorted(self._tools.items())]
        return [s for s in specs if (tag is None or tag in s.tags) and self._grant(s.name) != "deny"]

    def get(self, name: str) -> Tool:
        """A tool by name.

        Raises:
            UnknownToolError: Says which there are.
        """
        if name not in self._tools:
            raise UnknownToolError(name, tuple(self._tools))
        return self._tools[name]

    async def call(self, call: Call) -> CallResult:
        """Run one call.

        What the tool itself does wrong (it raises, it takes too long) is a result with ``error`` set, because the
        model should read it.

        Raises:
            UnknownToolError: No such tool.
            ArgumentsError: The arguments do not fit the schema; every fault with its path.
            DeniedError: No grant.
        """
        tool = self.get(call.tool)
        self._check_arguments(tool, call)
        self._authorize(call)
        start = self._clock()
        try:
            text, error = await self._run(tool, call), False
        except _ToolFailed as failed:
            text, error = _said(failed.failure), True
        except TimeoutError:
            text, error = f"{call.tool} took longer than {self._settings.timeout_s} s", True
        except Exception as failure:  # noqa: BLE001 - an executor may raise anything; the model is told
            text, error = _said(failure), True
        result = CallResult(call, text, error, self._clock() - start)
        self._catalogue.notify("call_finished", result=result)
        return result

    async def gather(self, calls: Sequence[Call]) -> list[CallResult]:
        """Run calls at once; results in the order of the calls; a refused call becomes a result with ``error``."""

        async def one(call: Call) -> CallResult:
            try:
                return await self.call(call)
            except ToolError as refused:
                return CallResult(call, str(refused), error=True)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(call)) for call in calls]
        return [task.result() for task in tasks]

    async def _run(self, tool: Tool, call: Call) -> str:
        async def run() -> str:
            try:
                text = await tool.call(call)
            except asyncio.CancelledError as failure:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                # Nobody cancelled the call: the tool waited for something that was.
                raise _ToolFailed(RuntimeError("what the tool waited for was cancelled")) from failure
            except Exception as failure:
                # Told apart here, because the end of the time allowed is a TimeoutError as well.
                raise _ToolFailed(failure) from failure
            if not isinstance(text, str):
                raise ToolError(f"tool {call.tool!r} returned {type(text).__name__}, not text")
            return text

        if self._executor is not None:
            return await self._executor.execute(ExecuteRequest(call=call, run=run, timeout_s=self._settings.timeout_s))
        async with asyncio.timeout(self._settings.timeout_s):
            return await run()

    def _check_arguments(self, tool: Tool, call: Call) -> None:
        validator = self._validators.get(call.tool)
        if validator is None:
            # Imported with the first call: reading configurations and packing needs no JSON Schema.
            from jsonschema import Draft202012Validator

            validator = self._validators[call.tool] = Draft202012Validator(dict(tool.spec.parameters))
        try:
            wrong = sorted(validator.iter_errors(dict(call.arguments)), key=lambda e: list(map(str, e.absolute_path)))
        except Exception as error:
            raise ToolError(f"arguments of {call.tool!r} cannot be checked by its schema: {_said(error)}") from error
        if wrong:
            faults = [f"{'.'.join(map(str, e.absolute_path)) or 'arguments'}: {e.message}" for e in wrong]
            raise ArgumentsError(call.tool, faults)

    def _grant(self, name: str) -> str:
        for grant in self._settings.grants:
            if fnmatch.fnmatchcase(name, grant.tool):
                return grant.decision
        return "allow"

    def _authorize(self, call: Call) -> None:
        match self._grant(call.tool):
            case "allow":
                return
            case "deny":
                raise DeniedError(call.tool, "the configuration denies it (calls.grants)")
            case _:
                if self._ask(call) is not True:
                    raise DeniedError(call.tool, "it has to be asked for, and no authorize hook allowed it")

    def _ask(self, call: Call) -> bool | None:
        """What the ``authorize`` hooks decide together: one that says no, or that fails, outweighs all others."""
        allowed = None
        for impl in self._catalogue.manager.hook.authorize.get_hookimpls():
            plugin = impl.plugin_name.partition(":")[0]
            try:
                decided = impl.function(*({"call": call}[name] for name in impl.argnames))
            except Exception as error:
                raise DeniedError(call.tool, f"the authorize hook of {plugin} failed: {_said(error)}") from error
            if decided is None:
                continue
            if decided is not True:
                raise DeniedError(call.tool, f"the authorize hook of {plugin} said {decided!r}")
            allowed = True
        return allowed


def _said(failure: Exception) -> str:
    text = str(failure)
    return f"{type(failure).__name__}: {text}" if text else type(failure).__name__
