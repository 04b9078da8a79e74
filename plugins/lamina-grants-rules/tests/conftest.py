import asyncio

import pytest

from lamina import Call
from lamina.protocols import Effects, GrantRequest, ToolSpec
from lamina.testing import LoneHost
from lamina_grants_rules import Rule, RulesSettings, open_rules

TEXT = {"type": "string"}
SPECS = {
    "shell": {"command": {"type": "string", "format": "shell"}},
    "write": {"path": {"type": "string", "format": "path"}, "text": TEXT},
    "move": {"source": TEXT, "destination": TEXT},
    "fetch": {"url": TEXT},
    "count": {"n": {"type": "integer"}},
}


def request(tool, arguments, effects=None, session="s", namespace="default"):
    properties = SPECS.get(tool, {"text": TEXT})
    changes = tool in ("shell", "write", "move")
    spec = ToolSpec(
        tool, "made", {"type": "object", "properties": properties}, effects=effects or Effects(destructive=changes)
    )
    return GrantRequest(Call(tool, arguments, session=session), spec, namespace)


@pytest.fixture
def decided(tmp_path):
    """Decides about calls: (tool, arguments) by rules given as (decision, call) or as keywords."""

    def decide(rules, *cases, **settings):
        made = tuple(Rule(*rule) if isinstance(rule, tuple) else Rule(**rule) for rule in rules)

        async def act():
            chosen = {"root": tmp_path, **settings}
            async with open_rules(RulesSettings(made, **chosen), LoneHost(tmp_path)) as grants:
                asked = [case if isinstance(case, GrantRequest) else request(*case) for case in cases]
                return [await grants.decide(one) for one in asked]

        return asyncio.run(act())

    return decide


@pytest.fixture
def asking():
    """Makes a request."""
    return request
