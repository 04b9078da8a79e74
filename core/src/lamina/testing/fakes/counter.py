"""Counters: a sound one, and one for each thing that a counter can do wrong."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from attrs import evolve

from lamina.protocols import CounterInfo, CountRequest, ImagesRequest, ToolsRequest


def oracle(text: str) -> int:
    """The tokens of the fakes' tokenizer: one for each byte of UTF-8."""
    return len("".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text).encode())


class SoundCounter:
    """Counts bytes, exactly."""

    fails: frozenset[str] = frozenset()
    info = CounterInfo(exact=True, bound=1.0, fingerprint="bytes 1")

    def count(self, request: CountRequest) -> Sequence[int]:
        """One count per text."""
        return [oracle(text) for text in request.texts]


class SoundRequestCounter(SoundCounter):
    """Counts bytes, images by the length of their data, and tools by their words."""

    def images(self, request: ImagesRequest) -> Sequence[int]:
        """One count per image."""
        return [len(image.data) for image in request.images]

    def tools(self, request: ToolsRequest) -> int:
        """One count for all."""
        return sum(10 + oracle(tool.name + tool.description) for tool in request.tools)


class SharesImages(SoundRequestCounter):
    """Gives each image its share of what all cost."""

    fails = frozenset({"test_images_count_one_by_one"})

    def images(self, request: ImagesRequest) -> Sequence[int]:
        """Counts that depend on the others."""
        counts = super().images(request)
        return [sum(counts) // len(counts)] * len(counts) if counts else []


class FreeTools(SoundRequestCounter):
    """Charges the first tool only."""

    fails = frozenset({"test_more_tools_cost_more"})

    def tools(self, request: ToolsRequest) -> int:
        """One count for the first."""
        return 10 + oracle(request.tools[0].name)


class Shapeless:
    """Has no info and no count."""

    fails = frozenset(
        {
            "test_it_satisfies_the_protocol",
            "test_its_info_states_a_bound_and_a_name",
            "test_its_info_stays_the_same",
            "test_no_texts_have_no_counts",
            "test_the_empty_text_costs_nothing",
            "test_there_is_one_count_per_text_and_it_is_a_natural_number",
            "test_a_text_that_says_something_costs_something",
            "test_the_same_text_always_has_the_same_count",
            "test_a_batch_counts_as_its_texts_do_alone",
            "test_special_token_strings_count_as_ordinary_text",
            "test_a_lone_surrogate_counts_as_the_replacement_character",
            "test_a_long_run_is_counted",
            "test_its_counts_keep_the_stated_bound",
            "test_the_request_is_left_as_it_was",
        }
    )


class ExactWithABound(SoundCounter):
    """Says that it is exact, and within a factor of 2."""

    fails = frozenset({"test_its_info_states_a_bound_and_a_name"})
    info = CounterInfo(exact=True, bound=2.0, fingerprint="bytes 1")


class Renames(SoundCounter):
    """Changes its fingerprint with each count."""

    fails = frozenset({"test_its_info_stays_the_same"})

    def count(self, request: CountRequest) -> Sequence[int]:
        """Counts well."""
        self.info = evolve(self.info, fingerprint=self.info.fingerprint + "+")
        return super().count(request)


class Frames(SoundCounter):
    """Adds 3 to every text."""

    fails = frozenset({"test_the_empty_text_costs_nothing", "test_its_counts_keep_the_stated_bound"})

    def count(self, request: CountRequest) -> Sequence[int]:
        """Counts too many."""
        return [n + 3 for n in super().count(request)]


class Totals(SoundCounter):
    """Gives one total for no texts."""

    fails = frozenset(
        {"test_no_texts_have_no_counts", "test_there_is_one_count_per_text_and_it_is_a_natural_number"}
    ) | {"test_a_batch_counts_as_its_texts_do_alone"}

    def count(self, request: CountRequest) -> Sequence[int]:
        """One number where there is no text."""
        return super().count(request) if request.texts else [0]


class Fractions(SoundCounter):
    """Gives floats."""

    fails = frozenset({"test_there_is_one_count_per_text_and_it_is_a_natural_number"})

    def count(self, request: CountRequest) -> Sequence[int]:
        """Whole numbers, as floats."""
        return [float(n) for n in super().count(request)]  # type: ignore[misc]


class FreeSpaces(SoundCounter):
    """White space is free."""

    fails = frozenset(
        {
            "test_a_text_that_says_something_costs_something",
            "test_a_long_run_is_counted",
            "test_its_counts_keep_the_stated_bound",
        }
    )

    def count(self, request: CountRequest) -> Sequence[int]:
        """Counts too few."""
        return [oracle("".join(text.split())) for text in request.texts]


class Drifts(SoundCounter):
    """Adds 1 to every text with each call."""

    fails = frozenset(
        {
            "test_the_empty_text_costs_nothing",
            "test_the_same_text_always_has_the_same_count",
            "test_a_batch_counts_as_its_texts_do_alone",
            "test_a_long_run_is_counted",
            "test_its_counts_keep_the_stated_bound",
        }
    )

    def __init__(self) -> None:
        self._calls = itertools.count(1)

    def count(self, request: CountRequest) -> Sequence[int]:
        """Counts more each time."""
        more = next(self._calls)
        return [n + more for n in super().count(request)]


class Sorts(SoundCounter):
    """Gives the counts smallest first."""

    fails = frozenset({"test_a_batch_counts_as_its_texts_do_alone", "test_the_empty_text_costs_nothing"})

    def count(self, request: CountRequest) -> Sequence[int]:
        """Counts in another order."""
        return sorted(super().count(request))


class Specials(SoundCounter):
    """Takes special-token strings for special tokens."""

    fails = frozenset({"test_special_token_strings_count_as_ordinary_text", "test_its_counts_keep_the_stated_bound"})

    def count(self, request: CountRequest) -> Sequence[int]:
        """One token for each."""
        return [1 if text.startswith("<|") and text.endswith("|>") else oracle(text) for text in request.texts]


class Strict(SoundCounter):
    """Raises at lone surrogates."""

    fails = frozenset(
        {
            "test_there_is_one_count_per_text_and_it_is_a_natural_number",
            "test_a_text_that_says_something_costs_something",
            "test_the_same_text_always_has_the_same_count",
            "test_a_batch_counts_as_its_texts_do_alone",
            "test_a_lone_surrogate_counts_as_the_replacement_character",
            "test_its_counts_keep_the_stated_bound",
        }
    )

    def count(self, request: CountRequest) -> Sequence[int]:
        """Counts what can be encoded."""
        return [len(text.encode()) for text in request.texts]


class Overflows(SoundCounter):
    """Fails on long texts."""

    fails = frozenset({"test_a_long_run_is_counted"})

    def count(self, request: CountRequest) -> Sequence[int]:
        """Counts short texts."""
        if any(len(text) > 10_000 for text in request.texts):
            raise RecursionError
        return super().count(request)


class Consumes(SoundCounter):
    """Empties the request."""

    fails = frozenset(
        {
            "test_the_request_is_left_as_it_was",
            "test_the_same_text_always_has_the_same_count",
            "test_a_batch_counts_as_its_texts_do_alone",
            "test_there_is_one_count_per_text_and_it_is_a_natural_number",
        }
    )

    def count(self, request: CountRequest) -> Sequence[int]:
        """Counts, and clears the list."""
        counts = super().count(request)
        if isinstance(request.texts, list):
            request.texts.clear()
        return counts


BROKEN: tuple[type, ...] = (
    Shapeless,
    ExactWithABound,
    Renames,
    Frames,
    Totals,
    Fractions,
    FreeSpaces,
    Drifts,
    Sorts,
    Specials,
    Strict,
    Overflows,
    Consumes,
    SharesImages,
    FreeTools,
)
