"""Storages that lose, change or confuse what they are given."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve

from lamina.errors import ConflictError
from lamina.protocols import Commit, Get, Record
from lamina.testing.fakes._storage_sound import SoundStorage

MODEL = "test_it_agrees_with_a_dict_whatever_is_done"
NASTY = "test_nasty_keys_are_kept_apart"
ORDER = "test_a_scan_is_ordered_by_code_points"
PREFIX = "test_a_scan_gives_all_keys_with_the_prefix_and_no_others"
LONGEST = "test_the_longest_keys_are_taken"


# ------------------------------------------------------------------------------------------------------- keys


class LowersCase(SoundStorage):
    """Keys that differ in case are one."""

    fails = frozenset(
        {
            "test_everything_under_a_deleted_prefix_is_gone",
            "test_a_size_counts_what_a_scan_finds",
            "test_keys_are_case_sensitive",
            "test_keys_are_not_normalised",
            MODEL,
            NASTY,
            ORDER,
            PREFIX,
        }
    )

    def name(self, key: str) -> str:
        return key.lower()


class Normalises(SoundStorage):
    """Composed and combining forms are one."""

    fails = frozenset(
        {
            "test_everything_under_a_deleted_prefix_is_gone",
            "test_a_size_counts_what_a_scan_finds",
            "test_keys_are_not_normalised",
            MODEL,
            NASTY,
            ORDER,
            PREFIX,
        }
    )

    def name(self, key: str) -> str:
        return unicodedata.normalize("NFC", key)


class Trims(SoundStorage):
    """White space around a key is lost."""

    fails = frozenset(
        {
            "test_everything_under_a_deleted_prefix_is_gone",
            "test_a_size_counts_what_a_scan_finds",
            "test_keys_are_not_trimmed",
            MODEL,
            NASTY,
            ORDER,
            PREFIX,
        }
    )

    def name(self, key: str) -> str:
        return key.strip(" \n") or key


class CutsKeys(SoundStorage):
    """Long keys are cut, as by a column of limited width."""

    fails = frozenset({LONGEST})

    def name(self, key: str) -> str:
        return key.encode()[:999].decode(errors="ignore")


class TakesAnyKey(SoundStorage):
    """Impossible keys are taken."""

    fails = frozenset({"test_a_refused_batch_writes_nothing", "test_impossible_keys_are_refused"})

    def check_key(self, key: str) -> None:
        return

    def order(self, key: str) -> Any:
        return key


class PutsAndDeletes(SoundStorage):
    """A key may be both put and deleted."""

    fails = frozenset({"test_a_key_cannot_be_both_put_and_deleted"})

    def check_commit(self, request: Commit) -> None:
        super().check_commit(Commit(puts=request.puts, expect=request.expect))
        super().check_commit(Commit(deletes=request.deletes, delete_prefixes=request.delete_prefixes))


class GetsSorted(SoundStorage):
    """Answers in the order of the keys, not in the one asked."""

    fails = frozenset(
        {
            "test_every_value_comes_back_byte_for_byte",
            "test_get_answers_in_the_order_asked_with_none_for_absent_keys",
            "test_keys_are_case_sensitive",
            "test_keys_are_not_normalised",
            "test_keys_are_not_trimmed",
            "test_namespaces_never_meet",
            "test_what_is_read_at_once_is_what_stands_there",
            MODEL,
            NASTY,
        }
    )

    async def get(self, request: Get) -> Sequence[Record | None]:
        return await super().get(evolve(request, keys=sorted(request.keys)))


# ----------------------------------------------------------------------------------------------------- values


class DropsEmptyValues(SoundStorage):
    """An empty value counts as absent."""

    fails = frozenset(
        {
            "test_a_damaged_record_is_named_and_the_rest_is_read",
            "test_a_range_delete_is_part_of_its_batch",
            "test_a_range_delete_stays_in_its_namespace",
            "test_nothing_is_left_of_what_was_scrubbed",
            "test_a_cancelled_call_leaves_the_storage_whole",
            "test_a_prefix_is_text_and_never_a_pattern",
            "test_a_scan_gives_at_most_its_limit",
            "test_a_scan_starts_beyond_after",
            "test_an_expired_record_is_gone",
            "test_every_value_comes_back_byte_for_byte",
            "test_expectations_may_concern_keys_outside_the_batch",
            MODEL,
            ORDER,
            PREFIX,
        }
    )

    def record(self, key: str) -> Record | None:
        found = super().record(key)
        return found if found is not None and found.value else None


class CutsValues(SoundStorage):
    """A value ends at its first NUL."""

    fails = frozenset(
        {
            "test_a_size_counts_what_a_scan_finds",
            "test_every_value_comes_back_byte_for_byte",
            "test_what_is_durable_outlives_closing",
            MODEL,
        }
    )

    def put(self, key: str, value: bytes, request: Commit) -> int:
        return super().put(key, value.split(b"\0")[0], request)


# ---------------------------------------------------------------------------------------------------- batches


class LosesLastPut(SoundStorage):
    """The last put of a batch is not written, though a version is given for it."""

    fails = frozenset(
        {
            "test_a_damaged_record_is_named_and_the_rest_is_read",
            "test_a_range_delete_is_part_of_its_batch",
            "test_a_range_delete_stays_in_its_namespace",
            "test_everything_under_a_deleted_prefix_is_gone",
            "test_a_size_counts_what_a_scan_finds",
            "test_a_batch_is_written_whole",
            "test_a_cancelled_call_leaves_the_storage_whole",
            "test_a_prefix_is_text_and_never_a_pattern",
            "test_a_scan_starts_beyond_after",
            "test_an_expired_record_is_gone",
            "test_every_value_comes_back_byte_for_byte",
            "test_get_answers_in_the_order_asked_with_none_for_absent_keys",
            "test_keys_are_case_sensitive",
            "test_keys_are_not_normalised",
            "test_keys_are_not_trimmed",
            "test_namespaces_never_meet",
            "test_of_writers_that_expect_the_same_exactly_one_wins",
            "test_the_loser_is_told_exactly_which_keys_changed",
            "test_what_was_committed_is_read_back",
            LONGEST,
            MODEL,
            NASTY,
            ORDER,
            PREFIX,
        }
    )

    def apply(self, request: Commit) -> dict[str, int]:
        versions = super().apply(request)
        if len(versions) > 1:
            del self.space.records[list(request.puts)[-1]]
        return versions


class HalfWrites(SoundStorage):
    """The puts before an impossible key are written."""

    fails = frozenset({"test_a_refused_batch_writes_nothing"})

    def check_commit(self, request: Commit) -> None:
        for n, key in enumerate(request.puts):
            try:
                self.check_key(key)
            except ValueError:
                self.apply(Commit(puts=dict(list(request.puts.items())[:n])))
                raise
        super().check_commit(request)


class WritesThenChecks(SoundStorage):
    """Deletes before it looks at the expectations, and does not undo it."""

    fails = frozenset(
        {
            "test_a_range_delete_is_part_of_its_batch",
            "test_a_refused_batch_writes_nothing",
            "test_an_expected_version_must_be_the_present_one",
        }
    )

    def check_expect(self, request: Commit) -> None:
        lost = self.lost(request)
        if lost:
            self.apply(Commit(deletes=request.deletes, delete_prefixes=request.delete_prefixes))
            raise ConflictError(lost)


class NeverDeletes(SoundStorage):
    """Deletes change nothing."""

    fails = frozenset(
        {
            "test_a_range_delete_is_part_of_its_batch",
            "test_a_range_delete_stays_in_its_namespace",
            "test_everything_under_a_deleted_prefix_is_gone",
            "test_namespaces_with_records_are_listed_in_order",
            "test_nothing_is_left_of_what_was_scrubbed",
            "test_what_another_opener_changes_is_told",
            "test_a_size_counts_what_a_scan_finds",
            "test_a_batch_is_written_whole",
            "test_a_put_replaces_and_a_delete_removes",
            "test_a_version_is_never_reused_after_a_delete",
            "test_an_expected_version_must_be_the_present_one",
            "test_expecting_absence_creates_only_once",
            "test_keys_are_case_sensitive",
            "test_keys_are_not_normalised",
            "test_keys_are_not_trimmed",
            "test_namespaces_never_meet",
            "test_the_loser_is_told_exactly_which_keys_changed",
            "test_what_is_durable_outlives_closing",
            MODEL,
            NASTY,
        }
    )

    def apply(self, request: Commit) -> dict[str, int]:
        return super().apply(evolve(request, deletes=frozenset(), delete_prefixes=frozenset()))


class EmptyCommitsClear(SoundStorage):
    """A batch without puts and deletes empties the namespace."""

    fails = frozenset({"test_an_empty_commit_changes_nothing", "test_expectations_may_concern_keys_outside_the_batch"})

    def apply(self, request: Commit) -> dict[str, int]:
        if not (request.puts or request.deletes or request.delete_prefixes):
            self.space.records.clear()
        return super().apply(request)


class IgnoresExpect(SoundStorage):
    """Last writer wins."""

    fails = frozenset(
        {
            "test_a_range_delete_is_part_of_its_batch",
            "test_a_refused_batch_writes_nothing",
            "test_a_version_is_never_reused_after_a_delete",
            "test_an_expected_version_must_be_the_present_one",
            "test_an_expired_record_is_gone",
            "test_expectations_may_concern_keys_outside_the_batch",
            "test_expecting_absence_creates_only_once",
            "test_of_writers_that_expect_the_same_exactly_one_wins",
            "test_the_loser_is_told_exactly_which_keys_changed",
            "test_who_shares_sees_what_the_other_wrote",
            MODEL,
        }
    )

    def check_expect(self, request: Commit) -> None:
        return


class ExpectsOnlyWithinBatch(SoundStorage):
    """Expectations about keys that the batch does not write are not checked."""

    fails = frozenset(
        {
            "test_a_range_delete_is_part_of_its_batch",
            "test_a_refused_batch_writes_nothing",
            "test_expectations_may_concern_keys_outside_the_batch",
            "test_the_loser_is_told_exactly_which_keys_changed",
            MODEL,
        }
    )

    def lost(self, request: Commit) -> list[str]:
        written = request.puts.keys() | request.deletes
        return [key for key in super().lost(request) if key in written]


class NamesEveryKey(SoundStorage):
    """The loser is told all keys of the expectation, also those that hold."""

    fails = frozenset({"test_the_loser_is_told_exactly_which_keys_changed", MODEL})

    def lost(self, request: Commit) -> list[str]:
        return list(request.expect) if super().lost(request) else []


class Races(SoundStorage):
    """Checks, lets other tasks run, and writes."""

    fails = frozenset(
        {"test_increments_by_many_tasks_lose_nothing", "test_of_writers_that_expect_the_same_exactly_one_wins"}
    )

    async def commit(self, request: Commit) -> Mapping[str, int]:
        self.check_open()
        self.check_commit(request)
        self.check_ttl(request)
        self.check_expect(request)
        await asyncio.sleep(0)
        return self.apply(request)


class ShowsHalfBatches(SoundStorage):
    """Lets other tasks run between the puts of a batch."""

    fails = frozenset({"test_a_cancelled_call_leaves_the_storage_whole", "test_a_reader_never_sees_half_a_batch"})

    async def commit(self, request: Commit) -> Mapping[str, int]:
        self.check_open()
        self.check_commit(request)
        self.check_ttl(request)
        self.check_expect(request)
        versions = self.apply(Commit(deletes=request.deletes, delete_prefixes=request.delete_prefixes))
        for n, (key, value) in enumerate(request.puts.items()):
            versions[key] = self.put(key, value, request)
            if n % 100 == 0 and len(request.puts) > 1:
                await asyncio.sleep(0)
        return versions


# --------------------------------------------------------------------------------------------------- versions


class ReusesVersions(SoundStorage):
    """Versions count per key and begin again after a delete."""

    fails = frozenset(
        {
            "test_a_range_delete_is_part_of_its_batch",
            "test_a_version_is_never_reused_after_a_delete",
            "test_what_is_durable_outlives_closing",
            MODEL,
        }
    )

    def next_version(self, name: str) -> int:
        kept = self.space.records.get(name)
        return 1 if kept is None else kept.version + 1


class HashesVersions(SoundStorage):
    """The version follows from the value, so it does not grow and comes back with it."""

    fails = frozenset(
        {
            "test_a_version_is_never_reused_after_a_delete",
            "test_an_expired_record_is_gone",
            "test_versions_are_positive_and_grow_with_each_change",
            "test_what_is_durable_outlives_closing",
            MODEL,
        }
    )

    def put(self, key: str, value: bytes, request: Commit) -> int:
        super().put(key, value, request)
        kept = self.space.records[key]
        kept.version = 1 + sum(value) % 7
        return kept.version
