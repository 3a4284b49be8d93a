"""How an amount is said in a sentence: two significant digits, or as many as show a gap."""

from __future__ import annotations

import math

from thinslice.domain import two_significant


def say_apart(one: float, other: float) -> tuple[str, str]:
    """Two numbers with as many digits as show how far they are apart.

    >>> say_apart(7.1, 7.04), say_apart(1300, 1234), say_apart(0.05, 3)
    (('7.10', '7.04'), ('1,300', '1,230'), ('0.05', '3'))
    """
    if one == other or abs(one - other) > max(abs(one), abs(other)) / 2:
        return say(one), say(other)
    sizes = [size for size in (abs(one - other), abs(one), abs(other)) if size]
    decimals = max(
        -math.floor(math.log10(sizes[0])), *(1 - math.floor(math.log10(size)) for size in sizes[1:])
    )
    low, high = (f"{round(value, decimals):,.{max(decimals, 0)}f}" for value in (one, other))
    return low, high


def say(value: float) -> str:
    """A number in a sentence: 3749 is "3,700".

    >>> say(3749), say(-0.0347), say(12.4)
    ('3,700', '-0.035', '12')
    """
    rounded = two_significant(value)
    return f"{rounded:,.0f}" if abs(rounded) >= 10 else f"{rounded:g}"
