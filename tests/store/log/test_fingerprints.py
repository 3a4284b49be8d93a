from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.contracts.event_store import view

from thinslice.store.log.fingerprints import (
    Fingerprints,
    fingerprints,
    first_of_each,
    from_npy,
    is_known,
    sorted_set,
    to_npy,
)
from thinslice.store.log.schema import to_table

# few values, so that upper halves agree where lower ones do not
sets = arrays.arrays(
    np.uint64,
    st.tuples(st.just(2), st.integers(0, 30)),
    elements=st.sampled_from([0, 1, 2, 3, 2**64 - 1]),
)


def pairs(prints: Fingerprints) -> list[tuple[int, int]]:
    return [(int(upper), int(lower)) for upper, lower in prints.T]


def test_a_fingerprint_is_the_blake2b_of_the_identity() -> None:
    digest = hashlib.blake2b("blå:7".encode(), digest_size=16).digest()
    expected = (int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big"))
    assert pairs(fingerprints(to_table([view("blå", line=7)]))) == [expected]


def test_fingerprints_come_in_the_order_of_the_rows() -> None:
    lines = [view(f"m{i}") for i in range(5000)]
    each = [pairs(fingerprints(to_table([line])))[0] for line in lines[::1000]]
    assert pairs(fingerprints(to_table(lines)))[::1000] == each


def test_no_lines_have_no_fingerprints() -> None:
    assert fingerprints(to_table([])).shape == (2, 0)


@given(sets, st.lists(sets, max_size=4))
def test_a_line_is_known_if_any_set_has_both_of_its_halves(
    prints: Fingerprints, known: list[Fingerprints]
) -> None:
    every = {pair for one in known for pair in pairs(one)}
    found = is_known(prints, [sorted_set(one) for one in known])
    assert found.tolist() == [pair in every for pair in pairs(prints)]


@given(sets)
def test_the_first_of_equal_ones_is_kept(prints: Fingerprints) -> None:
    seen: set[tuple[int, int]] = set()
    expected = [not (pair in seen or seen.add(pair)) for pair in pairs(prints)]  # type: ignore[func-returns-value]
    assert first_of_each(prints).tolist() == expected


@given(sets)
def test_a_set_comes_back_from_its_file_sorted(tmp_path_factory, prints: Fingerprints) -> None:
    path = tmp_path_factory.mktemp("prints") / "a.npy"
    path.write_bytes(to_npy(prints))
    loaded = from_npy(path)
    assert loaded is not None
    assert pairs(loaded) == sorted(pairs(prints))


def test_a_missing_or_damaged_file_is_none(tmp_path: Path) -> None:
    assert from_npy(tmp_path / "none.npy") is None
    good = to_npy(fingerprints(to_table([view(f"m{i}") for i in range(100)])))
    for length in (0, 5, 100, len(good) - 1):
        (tmp_path / "cut.npy").write_bytes(good[:length])
        assert from_npy(tmp_path / "cut.npy") is None
    np.save(tmp_path / "other.npy", np.zeros(3))
    assert from_npy(tmp_path / "other.npy") is None
