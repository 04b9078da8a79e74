"""The rules of keys, against what Python says of their bytes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lamina.errors import CapabilityError
from lamina.kit.keys import check_commit, check_key, prefix_end
from lamina.protocols import Capability, Commit

EDGES = st.text(st.sampled_from("a\x7f\u07ff\ud7ff\ue000\uffff\U00010000\U0010ffff"), max_size=4)


@given(st.text(st.characters(), max_size=20) | st.text(st.sampled_from("k\0\ud800é😀"), max_size=600))
@example("k" * 1000)
@example("k" * 1001)
@example("é" * 500)
@example("é" * 501)
def test_a_key_is_refused_exactly_when_no_storage_can_hold_it(key):
    n_bytes = len(key.encode(errors="surrogatepass"))
    fine = 0 < n_bytes <= 1000 and "\0" not in key and not any("\ud800" <= c <= "\udfff" for c in key)
    if fine:
        check_key(key)
    else:
        with pytest.raises(ValueError):
            check_key(key)


@given(EDGES, EDGES)
def test_what_lies_between_a_prefix_and_its_end_are_the_texts_with_the_prefix(prefix, text):
    end = prefix_end(prefix)
    if end is not None:
        end.encode()
    assert (prefix <= text and (end is None or text < end)) == text.startswith(prefix)


def test_a_value_that_is_not_bytes_is_refused():
    for value in ("text", bytearray(b"x"), None, 1):
        with pytest.raises(TypeError, match="must be bytes"):
            check_commit(Commit(puts={"a": value}), frozenset(), "main")


def test_what_a_storage_does_not_declare_is_refused_by_its_name():
    for asked, capability in (
        (Commit(puts={"a": b""}, ttl_s=5), Capability.TTL),
        (Commit(delete_prefixes=frozenset({"a"})), Capability.RANGE_DELETES),
    ):
        check_commit(asked, frozenset({capability}), "main")
        with pytest.raises(CapabilityError, match=rf"storage 'main' does not offer '{capability}'"):
            check_commit(asked, frozenset(Capability) - {capability}, "main")
