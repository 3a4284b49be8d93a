from __future__ import annotations

import re

import pytest

from thinslice.report.page import style

READ_ON = [
    ("ink", "paper"),
    ("ink", "card"),
    ("muted", "paper"),
    ("muted", "card"),
    ("muted", "sunken"),
    ("accent", "paper"),
    ("accent", "card"),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("ink", "accent-soft"),
    ("ink", "open-soft"),
    ("ink", "warn-soft"),
    ("accent-strong", "accent-soft"),
    ("open", "open-soft"),
    ("warn", "warn-soft"),
    ("warn", "card"),
]


def themes() -> dict[str, dict[str, str]]:
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\n *\}", style(), re.DOTALL)[:2]
    )
    return {"light": light, "dark": dark}


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_counted_as_the_standard_does() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_on_every_ground_in_both_themes(theme: str) -> None:
    tokens = themes()[theme]
    weak = {pair: contrast(tokens[pair[0]], tokens[pair[1]]) for pair in READ_ON}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}


def test_letters_on_tinted_pictures_can_be_read() -> None:
    tints = re.findall(r"\.tint-\d \{ background: (#\w{6}) !important; color: (#\w{6})", style())
    assert len(tints) == 16
    assert min(contrast(a, b) for a, b in tints) >= 4.5


def test_every_token_that_is_used_exists() -> None:
    used = set(re.findall(r"var\(--([\w-]+)\)", style()))
    assert used - set(re.findall(r"--([\w-]+):", style())) == set()


def test_the_style_fetches_nothing() -> None:
    assert not re.search(r"url\(|@import|https?:|</", style())
