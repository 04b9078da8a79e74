"""Checking strangers' schemas: as JSON Schema says, and in bounded time whatever they hold."""

from __future__ import annotations

import re
import time

import jsonschema
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lamina.errors import SchemaError
from lamina.tools import Checker
from lamina.tools._patterns import Pattern, TooCostlyError

many = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))

NAMES = st.sampled_from(["a", "b", "c", "$x/~y"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 12) | st.sampled_from([0.5, 1.0, 3.0, -1e300, 2**70]) | st.text("ab1 é", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
TYPES = st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"])


def _schemas(inner):
    table = st.dictionaries(NAMES, inner, max_size=2)
    sizes = st.integers(0, 3)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES | st.lists(TYPES, min_size=1, max_size=2, unique=True),
            "enum": st.lists(VALUES, min_size=1, max_size=3),
            "const": VALUES,
            "minimum": st.integers(-2, 3) | st.just(0.5),
            "exclusiveMaximum": st.integers(0, 5),
            "multipleOf": st.sampled_from([1, 2, 0.5, 0.1]),
            "minLength": sizes,
            "maxLength": sizes,
            "pattern": st.sampled_from(["^a", "b$", "^[a-b]*$", "1+", "^$"]),
            "properties": table,
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b"]), inner, max_size=1),
            "additionalProperties": inner,
            "required": st.lists(NAMES, max_size=2, unique=True),
            "propertyNames": inner,
            "minProperties": sizes,
            "maxProperties": sizes,
            "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=1), max_size=1),
            "dependentSchemas": table,
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "contains": inner,
            "minItems": sizes,
            "maxItems": sizes,
            "uniqueItems": st.booleans(),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
            "$ref": st.sampled_from(["#/$defs/d", "#/$defs/e~1f"]),
        },
    )


SCHEMAS = st.recursive(st.booleans() | st.just({}), _schemas, max_leaves=6)


@many
@given(schema=SCHEMAS, definition=SCHEMAS, value=VALUES)
@example(schema={"enum": [1]}, definition=True, value=True)
@example(schema={"const": 0}, definition=True, value=False)
@example(schema={"uniqueItems": True}, definition=True, value=[1, True, 1.0])
@example(schema={"type": "integer"}, definition=True, value=3.0)
@example(schema={"multipleOf": 0.1}, definition=True, value=0.5)
@example(schema={"oneOf": [{"type": "string"}, {"minLength": 2}]}, definition=True, value="ab")
def test_what_fits_is_what_json_schema_says(schema, definition, value):
    """Against the reference in Python; its multipleOf works in binary, so that alone is left to examples."""
    if "multipleOf" in str(schema) + str(definition) and any(isinstance(v, float) for v in _leaves(value)):
        return
    whole = {"allOf": [schema], "$defs": {"d": definition, "e/f": {"type": "string"}}}
    if "#/$defs/d" in str(definition):
        return  # a definition that is itself says nothing, and the reference never ends
    wanted = not list(jsonschema.Draft202012Validator(whole).iter_errors(value))
    assert (Checker(whole, "t").faults(value) == []) is wanted


def _leaves(value):
    if isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


def test_decimals_are_multiples_by_their_digits():
    checker = Checker({"properties": {"a": {"multipleOf": 0.01}}}, "t")
    assert [checker.faults({"a": a}) == [] for a in (0.07, 1.1, 19.99, 3, 0.005, 1e300)] == [
        True,
        True,
        True,
        True,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (5, "5 is no schema"),
        ({"type": "str"}, "parameters.type: 'str' is no type"),
        ({"properties": {"a": {"enum": []}}}, "parameters.properties.a.enum: [] is no list of values"),
        ({"properties": []}, "parameters.properties: [] is no object"),
        ({"required": "a"}, "parameters.required: 'a' is no list of names"),
        ({"minimum": "1"}, "parameters.minimum: '1' is no such number"),
        ({"multipleOf": 0}, "parameters.multipleOf: 0 is no such number"),
        ({"minLength": -1}, "parameters.minLength: -1 is no size"),
        ({"anyOf": {}}, "parameters.anyOf: {} is no list of schemas"),
        ({"$ref": "#/nowhere"}, "parameters.$ref: '#/nowhere' leads nowhere in this schema"),
        ({"$ref": "https://example.com/x"}, "leads nowhere in this schema"),
        ({"unevaluatedProperties": False}, "parameters.unevaluatedProperties: cannot be checked"),
        ({"pattern": "(a"}, "parameters.pattern: '(a': a ( without its )"),
        ({"pattern": r"(a)\1"}, "a back-reference, which cannot be checked in bounded time"),
        ({"pattern": r"(?<=a)b"}, "looks behind, which cannot be checked in bounded time"),
        ({"pattern": "(a{1000}){1000}"}, "has more than 5000 states"),
        ({"pattern": "a{1,99999}"}, "repeats more than 5000 times"),
        ({"pattern": "(" * 500 + ")" * 500}, "nested deeper than 100"),
    ],
)
def test_what_is_no_schema_is_refused_with_its_place(schema, said):
    with pytest.raises(SchemaError, match=re.escape(said)):
        Checker(schema, "t")


def nested(depth, inner):
    for _ in range(depth):
        inner = {"properties": {"a": inner}}
    return inner


def deep(depth, inner=1):
    for _ in range(depth):
        inner = {"a": inner}
    return inner


HOSTILE = [
    ({"properties": {"a": {"pattern": "^(a+)+$"}}}, {"a": "a" * 50_000 + "b"}),
    ({"properties": {"a": {"pattern": "(x+x+)+y"}}}, {"a": "x" * 50_000}),
    ({"properties": {"a": {"pattern": "^(([a-z])+.)+[A-Z]([a-z])+$"}}}, {"a": "a" * 50_000}),
    ({"properties": {"a": {"pattern": "(?=(a*)*b)" * 20}}}, {"a": "a" * 3_000}),
    ({"properties": {"a": {"pattern": ".*.*.*=.*"}}}, {"a": "".join(map(chr, range(0x4E00, 0x9000)))}),
    ({"properties": {"a": {"pattern": "(a?){2000}a{2000}"}}}, {"a": "a" * 2_000}),
    ({"$ref": "#"}, {}),
    ({"allOf": [{"$ref": "#"}]}, {"a": 1}),
    ({"properties": {"a": {"$ref": "#"}}}, deep(50_000)),
    ({"anyOf": [{"properties": {"a": {"$ref": "#"}}, "required": ["z"]}] * 8}, deep(60)),
    (
        {
            "$defs": {"x": {"anyOf": [{"$ref": "#/$defs/y"}] * 9}, "y": {"anyOf": [{"$ref": "#/$defs/x"}] * 9}},
            "$ref": "#/$defs/x",
        },
        {},
    ),
    ({"properties": {"a": {"multipleOf": 1e-320}}}, {"a": 1e308}),
    ({"properties": {"a": {"multipleOf": 3, "maximum": 5.5}}}, {"a": 10**100_000}),
    ({"properties": {"a": {"type": "number"}}}, {"a": float("nan")}),
    ({"properties": {"a": {"uniqueItems": True}}}, {"a": [[n] for n in range(100_000)]}),
    ({"properties": {"a": {"uniqueItems": True}}}, {"a": [deep(5_000), deep(5_000)]}),
    ({"properties": {"a": {"enum": [[n] for n in range(50_000)]}}}, {"a": [-1]}),
    ({"properties": {"a": {"const": 1}}}, {"a": {1, 2}}),
    ({"properties": {"a": {"items": {"oneOf": [{"type": "string"}] * 50}}}}, {"a": [1] * 100_000}),
    ({"additionalProperties": False}, {f"k{n}": n for n in range(50_000)}),
    ({"patternProperties": {"^(k+)+$": {}}, "additionalProperties": False}, {"k" * 30_000 + "x": 1}),
    (nested(99, {"type": "string"}), deep(99)),
]


# What is large and right all the same.
FITTING = [{"a": 1e308}, {"a": [[n] for n in range(100_000)]}]


@pytest.mark.parametrize(("schema", "value"), HOSTILE, ids=range(len(HOSTILE)))
def test_no_schema_and_no_value_takes_long(schema, value):
    began = time.process_time()
    try:
        faults = Checker(schema, "t").faults(value)
    except SchemaError as error:
        faults = error.faults
    assert time.process_time() - began < 5
    assert bool(faults) is (value not in FITTING)
    assert all(len(fault) < 1000 for fault in faults)


def test_a_schema_that_is_too_large_is_refused():
    wide = {"properties": {f"p{n}": {"properties": {"a": {}, "b": {"type": "string"}}} for n in range(20_000)}}
    for schema in (wide, nested(500, {})):
        with pytest.raises(SchemaError, match="too large, or nested deeper"):
            Checker(schema, "t")


PATTERNS = ["a*b", "^(a|b)*c$", "^(?!foo).*bar$", r"\bab\b", "x{2,3}y?", "^$", "", "[^a-c]+$", "a(?=b)", "(ab|a)(bc|c)$",
            "^a$|^b", r"[\d-]x", "$", "a$b?", "(a?){3}b", "(^a|b)c", r"\w\W\s?\S", "a{2}", "a{2,}b", "[]a]", r"\u0061\x62", "{", "a{x",
            "(?:a|(?<n>b))c", "a+?b??", r"[\w.]+@[\w.]+", "^(?=.*a)(?=.*b).+$", r"\Ba", "(a|ab)(c|bcd)(d*)$"]  # fmt: skip


@many
@given(
    source=st.sampled_from([p for p in PATTERNS if p not in ("[]a]", "(?:a|(?<n>b))c")]),
    text=st.text("abcfoxr 12#-@.\n{", max_size=8),
)
def test_a_pattern_matches_what_it_matches_elsewhere(source, text):
    assert Pattern(source).search(text) is (re.search(source.replace("$", r"\Z"), text, re.ASCII) is not None)


PIECE = st.sampled_from(
    [
        "a",
        "b",
        "(",
        ")",
        "|",
        "*",
        "+",
        "?",
        "^",
        "$",
        "[",
        "]",
        "-",
        "{1,2}",
        "{2}",
        ".",
        r"\b",
        r"\d",
        "(?:",
        "(?=",
        "(?!",
        "\\",
    ]
)


@many
@given(source=st.lists(PIECE, max_size=8).map("".join), text=st.text("ab1", max_size=6))
def test_any_pattern_is_matched_as_elsewhere_or_refused(source, text):
    try:
        pattern = Pattern(source)
    except ValueError:
        return
    try:
        wanted = re.search(source.replace("$", r"(?!\n)\Z"), text, re.ASCII) is not None
    except re.error:
        return  # a pattern of ECMA's that Python does not have
    if "[" not in source and "\\$" not in source:  # within brackets the dialects differ
        assert pattern.search(text) is wanted


def test_a_pattern_that_would_take_too_long_says_so():
    slow = Pattern("(?=.*a)(?=.*b)x")
    assert not slow.search("y" * 50)
    with pytest.raises(TooCostlyError):
        slow.search("y" * 5_000)


@pytest.mark.parametrize(
    ("source", "yes", "no"),
    [(r"^\p{L}+$", "Größe", "a1"), (r"^\P{Lu}$", "a", "A"), (r"^\d$", "5", "٥"), (r"^.$", "é", "\n")],
)
def test_the_dialect_is_that_of_json_schema(source, yes, no):
    pattern = Pattern(source)
    assert pattern.search(yes)
    assert not pattern.search(no)
