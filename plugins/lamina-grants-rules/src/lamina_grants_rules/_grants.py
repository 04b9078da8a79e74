"""The rules, and how the one that decides is found."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from attrs import define

from lamina.errors import ConfigError
from lamina.kit.subjects import Subject, given, subject_of
from lamina.protocols import Answer, Decision, GrantRequest, ToolSpec
from lamina_grants_rules._paths import folded, parts, resolved
from lamina_grants_rules._patterns import ArgumentPattern, opens, within
from lamina_grants_rules._shell import Command, parsed

if TYPE_CHECKING:
    from lamina_grants_rules import Rule, RulesSettings

_CALL = re.compile(r"([^()\s]+)(?:\((.*)\))?", re.DOTALL)
_STRICT: dict[Answer, int] = {"allow": 0, "ask": 1, "deny": 2}
_TOOLS = 10_000
"""Tools that are remembered with what is about them."""
_EFFECTS = {
    "read-only": "read_only",
    "idempotent": "idempotent",
    "destructive": "destructive",
    "open-world": "open_world",
    "changes-world": "changes_world",
}


@define(eq=False)
class _Compiled:
    """A rule, ready to be asked."""

    at: int
    rule: Rule
    tool: str
    pattern: ArgumentPattern | None
    decision: Decision

    def applies(self, request: GrantRequest) -> bool:
        """Whether it is about the tool, the session and the namespace, patterns aside."""
        rule = self.rule
        return (
            _has(request.spec, rule)
            and (rule.session == "*" or fnmatch.fnmatchcase(request.call.session or "", rule.session))
            and (rule.namespace == "*" or fnmatch.fnmatchcase(request.namespace, rule.namespace))
        )


def _has(spec: ToolSpec, rule: Rule) -> bool:
    return all(getattr(spec.effects, _EFFECTS[effect]) for effect in rule.effects)


@define(eq=False)
class _OfTool:
    """What is about one tool: rules by what their patterns name, so that thousands need not be asked."""

    spec: ToolSpec
    subject: Subject | None
    always: list[_Compiled]
    """Rules without a pattern, or with one that can be about anything."""
    keyed: dict[Any, list[_Compiled]]
    """Others by the command, or by the folded beginning of the path, that they name."""
    every: list[_Compiled]
    constant: Decision | None
    """What is answered to every call of it, where that depends on nothing that a call brings."""

    def of(self, keys: Iterable[Any]) -> Iterator[_Compiled]:
        """The rules that may be about any of these, in order."""
        lists = [found for key in dict.fromkeys(keys) if (found := self.keyed.get(key))]
        if not lists:
            return iter(self.always)
        merged = {rule.at: rule for found in (self.always, *lists) for rule in found}
        return iter([merged[at] for at in sorted(merged)])


class RuleGrants:
    """Decides by rules: the first that fits.

    A rule that allows must fit surely; one that asks or denies fits also where it may. Of a command line, each command
    is decided about by itself, and the strictest answer counts. Deciding costs some microseconds for a tool, some ten
    for a path, whose links are looked up, however many rules there are for other tools, commands and folders.
    """

    def __init__(self, settings: RulesSettings, place: str) -> None:
        self._root = os.path.realpath(settings.root.expanduser() if settings.root else ".")
        self._settings = settings
        faults: list[str] = []
        compiled = [self._compiled(at, rule, f"{place}.rules.{at}", faults) for at, rule in enumerate(settings.rules)]
        if faults:
            raise ConfigError(faults)
        self._named: dict[str, list[_Compiled]] = {}
        self._globs: list[_Compiled] = []
        for rule in compiled:
            if rule is not None:
                named = not re.search(r"[*?\[]", rule.tool)
                (self._named.setdefault(rule.tool, []) if named else self._globs).append(rule)
        self._tools: dict[str, _OfTool] = {}
        safe, changing = settings.otherwise, settings.changing
        self._otherwise = Decision(safe, "default", f"no rule is about it; otherwise = {safe!r}")
        self._changing = Decision(changing, "default", f"no rule is about it, and it may change what cannot be taken back; changing = {changing!r}")  # fmt: skip

    def _compiled(self, at: int, rule: Rule, place: str, faults: list[str]) -> _Compiled | None:
        match = _CALL.fullmatch(rule.call.strip())
        if match is None:
            faults.append(f"{place}.call: {rule.call!r} is none; write a tool's name, or NAME(PATTERN)")
            return None
        pattern = None if match[2] is None else ArgumentPattern(match[2].strip(), self._root)
        conditions = [*rule.effects, *(f"{k} {v}" for k, v in (("session", rule.session), ("namespace", rule.namespace)) if v != "*")]  # fmt: skip
        name = f"{at + 1}: {rule.decision} {rule.call}" + (f" [{', '.join(conditions)}]" if conditions else "")
        why = " ".join((rule.why or f"a rule says {rule.decision}").split())
        return _Compiled(at, rule, match[1], pattern, Decision(rule.decision, name, why))

    async def decide(self, request: GrantRequest) -> Decision:
        """By the first rule that fits; see the class."""
        tool = self._of(request.spec)
        if tool.constant is not None:
            return tool.constant
        subject, arguments = tool.subject, request.call.arguments
        texts = None if subject is None else given(subject, arguments)
        if subject is None or texts is None:
            return self._first(request, tool.every, lambda rule: self._unknown(rule))
        if subject.kind == "shell":
            return self._by_commands(request, tool, texts)
        if subject.kind == "path":
            return self._by_paths(request, tool, texts)
        return self._strictest([
            self._first(request, tool.every, lambda rule, text=text: _fits(rule, rule.pattern.plain, text))
            for text in texts
        ])  # fmt: skip

    def hides(self, spec: ToolSpec) -> bool:
        """Whether every call of it is denied: no rule that allows or asks comes before one that denies them all."""
        for rule in self._of(spec).every:
            if not _has(spec, rule.rule):
                continue
            if rule.decision.answer != "deny":
                return False
            if rule.pattern is None and rule.rule.session == "*" and rule.rule.namespace == "*":
                return True
        return self._default(spec).answer == "deny"

    # ------------------------------------------------------------- inside

    def _of(self, spec: ToolSpec) -> _OfTool:
        known = self._tools.get(spec.name)
        if known is not None and known.spec is spec:
            return known
        globs = [rule for rule in self._globs if fnmatch.fnmatchcase(spec.name, rule.tool)]
        every = sorted([*self._named.get(spec.name, ()), *globs], key=lambda rule: rule.at)
        subject = subject_of(spec)
        made = _OfTool(spec, subject, [], {}, every, self._constant(spec, every))
        for rule in every:
            keys = _keys(rule.pattern, subject)
            for key in keys:
                made.keyed.setdefault(key, []).append(rule)
            if not keys:
                made.always.append(rule)
        if len(self._tools) >= _TOOLS:
            self._tools.clear()
        self._tools[spec.name] = made
        return made

    def _constant(self, spec: ToolSpec, every: Sequence[_Compiled]) -> Decision | None:
        about = [rule for rule in every if _has(spec, rule.rule)]
        if not about:
            return self._default(spec)
        first = about[0]
        plain = first.pattern is None and first.rule.session == "*" and first.rule.namespace == "*"
        return first.decision if plain else None

    def _default(self, spec: ToolSpec) -> Decision:
        return self._changing if spec.effects.changes_world else self._otherwise

    def _first(self, request: GrantRequest, rules: Iterable[_Compiled], fits: Any) -> Decision:
        for rule in rules:
            if rule.applies(request) and (rule.pattern is None or fits(rule)):
                return rule.decision
        return self._default(request.spec)

    @staticmethod
    def _unknown(rule: _Compiled) -> bool:
        """Nobody can say what a pattern would be matched with: then none allows, and all others are heeded."""
        return rule.decision.answer != "allow"

    @staticmethod
    def _strictest(decisions: Sequence[Decision]) -> Decision:
        return max(decisions, key=lambda decision: _STRICT[decision.answer])

    def _by_commands(self, request: GrantRequest, tool: _OfTool, texts: Sequence[str]) -> Decision:
        decisions: list[Decision] = []
        for text in texts:
            line = parsed(text)
            decisions += [self._by_command(request, tool, command) for command in line.commands]
            if not line.understood or not line.commands:
                decisions.append(self._first(request, tool.every, self._unknown))
        return self._strictest(decisions)

    def _by_command(self, request: GrantRequest, tool: _OfTool, command: Command) -> Decision:
        if opens(command):
            rules: Iterable[_Compiled] = tool.every
        else:
            # Its own name, the last part of that, and those of all that it may run.
            names = [word for inner in within(command) for word in inner.words[:1]]
            rules = tool.of([key for word in names for key in (word.text, word.text.rsplit("/", 1)[-1])])
        return self._first(request, rules, lambda rule: _fits(rule, rule.pattern.shell, command))

    def _by_paths(self, request: GrantRequest, tool: _OfTool, texts: Sequence[str]) -> Decision:
        decisions: list[Decision] = []
        for text in texts:
            path = resolved(text, self._root)
            if path is None:
                decisions.append(self._first(request, tool.every, self._unknown))
                continue
            forms = {tuple([folded(part) for part in parts(form)]) for form in (*path, path[1].replace("\\", "/"))}
            keys = [form[:size] for form in forms for size in range(len(form) + 1)]
            rules = tool.of(keys)
            decisions.append(self._first(request, rules, lambda rule, path=path: _fits(rule, rule.pattern.path, path)))
        return self._strictest(decisions)


def _fits(rule: _Compiled, pattern: Any, what: Any) -> bool:
    return bool(pattern.surely(what) if rule.decision.answer == "allow" else pattern.perhaps(what))


def _keys(pattern: ArgumentPattern | None, subject: Subject | None) -> list[Any]:
    """What a rule is found by; nothing where it has to be asked always."""
    if pattern is None or subject is None:
        return []
    if subject.kind == "shell":
        return [] if pattern.shell.key is None else [pattern.shell.key]
    if subject.kind == "path":
        return list({pattern.path.literal, pattern.path.real})
    return []
