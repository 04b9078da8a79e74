"""Storages that read wrongly, forget, mix namespaces or claim what they are not."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import evolve

from lamina.errors import ConflictError
from lamina.protocols import Capability, Commit, Get, Record, Scan, Size, SizeRequest
from lamina.testing.fakes._storage_sound import ALL, Place, SoundStorage, Space

MODEL = "test_it_agrees_with_a_dict_whatever_is_done"
NASTY = "test_nasty_keys_are_kept_apart"
ORDER = "test_a_scan_is_ordered_by_code_points"
PREFIX = "test_a_scan_gives_all_keys_with_the_prefix_and_no_others"
LONGEST = "test_the_longest_keys_are_taken"


# ------------------------------------------------------------------------------------------------------ scans


class OrdersByUtf16(SoundStorage):
    """Scans in the order of UTF-16, where the astral planes come before U+E000."""

    fails = frozenset({"test_everything_under_a_deleted_prefix_is_gone", ORDER, PREFIX})

    def order(self, key: str) -> Any:
        return key.encode("utf-16-be")


class OrdersByInsertion(SoundStorage):
    """Scans in the order in which keys were first written."""

    fails = frozenset(
        {
            "test_everything_under_a_deleted_prefix_is_gone",
            "test_a_prefix_is_text_and_never_a_pattern",
            "test_a_scan_gives_at_most_its_limit",
            "test_a_scan_starts_beyond_after",
            "test_an_expired_record_is_gone",
            "test_expectations_may_concern_keys_outside_the_batch",
            "test_paging_through_meets_every_record_once",
            MODEL,
            ORDER,
            PREFIX,
        }
    )

    def order(self, key: str) -> Any:
        return 0  # sorting is stable


class EndsPrefixTooEarly(SoundStorage):
    """A prefix is taken for a range that ends at its U+FFFF."""

    fails = frozenset({"test_everything_under_a_deleted_prefix_is_gone", "test_a_scan_starts_beyond_after", PREFIX})

    def matches(self, key: str, prefix: str) -> bool:
        return not prefix or prefix <= key <= prefix + "\uffff"


class TakesPrefixForPattern(SoundStorage):
    """``%`` and ``_`` in a prefix match anything."""

    fails = frozenset(
        {"test_everything_under_a_deleted_prefix_is_gone", "test_a_prefix_is_text_and_never_a_pattern", MODEL}
    )

    def matches(self, key: str, prefix: str) -> bool:
        literal = prefix.replace("[", "\0").replace("*", "[*]").replace("?", "[?]").replace("\0", "[[]")
        return fnmatch.fnmatchcase(key, literal.replace("%", "*").replace("_", "?") + "*")


class LimitsOffByOne(SoundStorage):
    """A scan gives one record too many."""

    fails = frozenset(
        {
            "test_a_scan_gives_at_most_its_limit",
            "test_an_expired_record_is_gone",
            "test_paging_through_meets_every_record_once",
            MODEL,
        }
    )

    def limit(self, request: Scan) -> int:
        return request.limit + 1


class CapsLimit(SoundStorage):
    """A scan never gives more than 500 records, which looks like the end."""

    fails = frozenset(
        {
            "test_a_batch_is_written_whole",
            "test_a_cancelled_call_leaves_the_storage_whole",
            "test_paging_through_meets_every_record_once",
        }
    )

    def limit(self, request: Scan) -> int:
        return min(request.limit, 500)


class TakesAnyLimit(SoundStorage):
    """Impossible limits are taken."""

    fails = frozenset({"test_a_limit_below_one_is_refused"})

    def check_scan(self, request: Scan) -> None:
        (request.prefix + (request.after or "")).encode()


class TakesSurrogates(SoundStorage):
    """Text without a UTF-8 form is taken as a place to scan from."""

    fails = frozenset({"test_a_scan_is_refused_text_without_a_utf8_form"})

    def check_scan(self, request: Scan) -> None:
        super().check_scan(Scan(limit=request.limit))


class RaisesOnNothing(SoundStorage):
    """A scan that finds nothing is an error."""

    fails = frozenset(
        {
            "test_a_range_delete_stays_in_its_namespace",
            "test_everything_under_a_deleted_prefix_is_gone",
            "test_a_cancelled_call_leaves_the_storage_whole",
            "test_a_key_cannot_be_both_put_and_deleted",
            "test_a_prefix_is_text_and_never_a_pattern",
            "test_a_scan_of_nothing_is_empty",
            "test_a_scan_starts_beyond_after",
            "test_an_expected_version_must_be_the_present_one",
            "test_an_impossible_lifetime_is_refused",
            "test_impossible_keys_are_refused",
            "test_keys_are_case_sensitive",
            "test_keys_are_not_normalised",
            "test_keys_are_not_trimmed",
            "test_namespaces_never_meet",
            "test_paging_through_meets_every_record_once",
            MODEL,
            NASTY,
            PREFIX,
        }
    )

    async def scan(self, request: Scan) -> Sequence[Record]:
        found = await super().scan(request)
        if not found:
            raise LookupError("nothing found")
        return found


class IncludesAfter(SoundStorage):
    """``after`` is part of the scan."""

    fails = frozenset({"test_a_scan_starts_beyond_after", "test_paging_through_meets_every_record_once", MODEL})

    def beyond(self, key: str, after: str, reverse: bool) -> bool:
        return key <= after if reverse else key >= after


class ForgetsDirection(SoundStorage):
    """``after`` is taken in the forward direction also in reverse."""

    fails = frozenset(
        {"test_a_scan_starts_beyond_after", "test_namespaces_never_meet", "test_paging_through_meets_every_record_once"}
    )

    def beyond(self, key: str, after: str, reverse: bool) -> bool:
        return key > after


class GivesValuesAnyway(SoundStorage):
    """A scan of keys only gives the values, too."""

    fails = frozenset({"test_a_scan_of_keys_only_gives_the_same_without_values"})

    async def scan(self, request: Scan) -> Sequence[Record]:
        return await super().scan(evolve(request, keys_only=False))


class CountsCharacters(SoundStorage):
    """A size counts the characters of keys, not their bytes."""

    fails = frozenset({"test_a_size_counts_what_a_scan_finds"})

    async def size(self, request: SizeRequest) -> Size:
        size = await super().size(request)
        keys = [key for key in self.space.records if key.startswith(request.prefix) and self.alive(key)]
        return evolve(size, bytes=size.bytes - sum(len(key.encode()) - len(key) for key in keys))


class CountsTheExpired(SoundStorage):
    """A size counts what has expired, too."""

    fails = frozenset({"test_an_expired_record_is_gone"})

    async def size(self, request: SizeRequest) -> Size:
        size = await super().size(request)
        return evolve(size, records=sum(key.startswith(request.prefix) for key in self.space.records))


# -------------------------------------------------------------------- namespaces, life cycle, capabilities


class LeaksNamespaces(SoundStorage):
    """Namespaces that differ in case share their records."""

    fails = frozenset(
        {
            "test_a_range_delete_stays_in_its_namespace",
            "test_namespaces_with_records_are_listed_in_order",
            "test_namespaces_never_meet",
        }
    )

    @classmethod
    def enter(cls, place: Place, namespace: str) -> Space:
        return super().enter(place, namespace.lower())


class JoinsNamespaces(SoundStorage):
    """Namespace and key are joined without a mark between them, and not at all where it is read at once."""

    fails = frozenset(
        {
            "test_what_is_read_at_once_is_what_stands_there",
            "test_a_damaged_record_is_named_and_the_rest_is_read",
            "test_a_range_delete_stays_in_its_namespace",
            "test_namespaces_with_records_are_listed_in_order",
            "test_what_another_opener_changes_is_told",
            "test_namespaces_never_meet",
        }
    )

    @classmethod
    def enter(cls, place: Place, namespace: str) -> Space:
        return super().enter(place, "")

    async def commit(self, request: Commit) -> Mapping[str, int]:
        self.check_open()
        self.check_commit(request)
        joined = Commit(
            puts={self.namespace + key: value for key, value in request.puts.items()},
            deletes=frozenset(self.namespace + key for key in request.deletes),
            delete_prefixes=frozenset(self.namespace + prefix for prefix in request.delete_prefixes),
            expect={self.namespace + key: version for key, version in request.expect.items()},
            ttl_s=request.ttl_s,
        )
        try:
            versions = await super().commit(joined)
        except ConflictError as error:
            raise ConflictError([self.cut(key) for key in error.keys]) from None
        return {self.cut(key): version for key, version in versions.items()}

    async def get(self, request: Get) -> Sequence[Record | None]:
        for key in request.keys:
            self.check_key(key)
        found = await super().get(evolve(request, keys=[self.namespace + key for key in request.keys]))
        return [record and evolve(record, key=self.cut(record.key)) for record in found]

    async def scan(self, request: Scan) -> Sequence[Record]:
        after = None if request.after is None else self.namespace + request.after
        found = await super().scan(evolve(request, prefix=self.namespace + request.prefix, after=after))
        return [evolve(record, key=self.cut(record.key)) for record in found]

    async def size(self, request: SizeRequest) -> Size:
        size = await super().size(SizeRequest(prefix=self.namespace + request.prefix))
        return evolve(size, bytes=size.bytes - size.records * len(self.namespace.encode()))

    def check_key(self, key: str) -> None:
        super().check_key(key.removeprefix(self.namespace))

    def cut(self, key: str) -> str:
        """The key without the namespace."""
        return key[len(self.namespace) :]


class LivesOn(SoundStorage):
    """Works after close."""

    fails = frozenset(
        {
            "test_what_is_read_at_once_is_what_stands_there",
            "test_a_watch_ends_with_its_storage",
            "test_what_is_declared_refuses_after_close",
            "test_a_closed_storage_refuses_every_call",
        }
    )

    def check_open(self) -> None:
        return


class Forgets(SoundStorage):
    """Declares to be durable, but begins empty."""

    fails = frozenset(
        {
            "test_a_backup_is_the_whole_place_as_it_was",
            "test_a_damaged_record_is_named_and_the_rest_is_read",
            "test_namespaces_with_records_are_listed_in_order",
            "test_nothing_is_left_of_what_was_scrubbed",
            "test_what_is_durable_outlives_closing",
            "test_who_shares_sees_what_the_other_wrote",
            MODEL,
        }
    )

    @classmethod
    def enter(cls, place: Place, namespace: str) -> Space:
        return Space()


class TakesAnyLifetime(SoundStorage):
    """Does not declare lifetimes, takes them and ignores them."""

    fails = frozenset({"test_a_lifetime_is_refused_unless_declared"})
    declares = frozenset({Capability.DURABLE, Capability.SHARED})

    def alive(self, name: str) -> bool:
        return True


class NeverExpires(SoundStorage):
    """Declares lifetimes, takes them and ignores them."""

    fails = frozenset({"test_a_put_sets_the_lifetime_anew", "test_an_expired_record_is_gone"})

    def alive(self, name: str) -> bool:
        return True


class KeepsOldLifetime(SoundStorage):
    """A put without a lifetime keeps the one that the record had."""

    fails = frozenset({"test_a_put_sets_the_lifetime_anew", "test_an_expired_record_is_gone"})

    def put(self, key: str, value: bytes, request: Commit) -> int:
        old = self.space.records.get(key)
        version = super().put(key, value, request)
        if old is not None and request.ttl_s is None:
            self.space.records[key].expires_s = old.expires_s
        return version


class TakesImpossibleLifetimes(SoundStorage):
    """A lifetime of zero or less is taken."""

    fails = frozenset({"test_an_impossible_lifetime_is_refused"})

    def check_ttl(self, request: Commit) -> None:
        return


class Underclaims(SoundStorage):
    """Declares less than the suite is told that it does."""

    fails = frozenset({"test_it_declares_exactly_its_capabilities"})

    def __init__(self, space: Space, clock: Callable[[], float], namespace: str, place: Place) -> None:
        super().__init__(space, clock, namespace, place)
        self.capabilities = ALL - {Capability.DURABLE}


class ReadsOldAtOnce(SoundStorage):
    """What is read at once is what stood there when it was first asked for."""

    fails = frozenset({"test_what_is_read_at_once_is_what_stands_there"})
    _seen: dict[str, Record | None] | None = None

    def get_now(self, request: Get) -> Sequence[Record | None]:
        seen = self._seen = {} if self._seen is None else self._seen
        return [seen.setdefault(key, self.record(key)) for key in request.keys]

    async def get(self, request: Get) -> Sequence[Record | None]:
        return super().get_now(request)
