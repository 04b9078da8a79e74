import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.kit.vectors import packed

numbers = st.floats(width=32, allow_nan=False)


@given(st.integers(1, 5).flatmap(lambda d: st.tuples(st.just(d), st.lists(st.lists(numbers, min_size=d, max_size=d)))))
def test_rows_are_one_block_of_32_bit_floats_and_come_back_as_they_were(given_rows):
    dimensions, rows = given_rows
    view = packed(rows, dimensions)
    assert (view.format, view.c_contiguous, view.nbytes) == ("f", True, 4 * dimensions * len(rows))
    assert not rows or view.shape == (len(rows), dimensions)
    assert view.tolist() == rows


def test_a_row_of_another_length_is_named():
    with pytest.raises(ValueError, match="row 2 has 1 numbers, not 2"):
        packed([[1.0, 2.0], [3.0]], 2)
