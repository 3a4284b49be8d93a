"""What each kind of product looks like, in hundredths of the picture; shape is 0, 1 or 2."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from thinslice.demo.canvas import INK, LEAF, WHITE, WOOD, Canvas, box, mix, oval, smooth

Drawing = Callable[[Canvas, int], None]


def sneakers(c: Canvas, shape: int) -> None:
    """One shoe from the side; the shaft is low, middle or high."""
    top = (40, 33, 26)[shape]
    c.shadow(50, 77, 40, 5)
    sole = mix(WHITE, c.colour, 0.08)
    c.fill(
        smooth([(11, 69), (30, 68), (60, 68), (89, 69), (91, 73), (88, 77), (14, 77), (10, 74)]),
        sole,
    )
    body = smooth(
        [
            (12, 70),
            (11, 58),
            (13, top + 4),
            (17, top),
            (34, top + 1),
            (42, 46),
            (56, 54),
            (74, 59),
            (85, 62),
            (88, 67),
            (86, 70.5),
            (50, 71),
        ]
    )
    c.cloth(body)
    c.fill(
        smooth([(86.5, 71), (89, 67), (85, 61.6), (78, 59.6), (73, 65), (72, 71)]), sole, shade=0.6
    )
    c.fill(smooth([(12, 70), (11, 60), (20, 59), (23, 71)]), c.dark, shade=0.6)
    c.fill(
        smooth([(14, top + 3), (18, top - 1), (33, top), (35, top + 4), (24, top + 6)]),
        c.dark,
        shade=0,
    )
    for i in range(4):
        x, y = 41 + i * 6.5, 46.5 + i * 3.3
        c.line([(x, y), (x - 5, y + 7)], sole, 1.5)
        c.line([(x - 6, y + 1.5), (x + 1, y + 5.5)], sole, 1.1)
    c.line([(12, 71), (88, 71)], mix(sole, c.dark, 0.45), 0.6)
    c.line([(12, 74), (89, 74)], c.colour, 0.9)


def shirt(c: Canvas, shape: int) -> None:
    """A T-shirt laid flat; round neck, V neck, or a breast pocket."""
    c.shadow(50, 84, 27, 4)
    for side in (1, -1):
        sleeve = [
            (50 - side * 16, 21),
            (50 - side * 39, 36),
            (50 - side * 32, 50),
            (50 - side * 22, 44),
        ]
        c.cloth(sleeve, shade=1.6 if side < 0 else 0.6)
        c.line([sleeve[1], sleeve[2]], c.dark, 0.9)
    torso = smooth(
        [
            (37, 18),
            (30, 23),
            (27, 40),
            (28, 60),
            (27, 83),
            (50, 84.5),
            (73, 83),
            (72, 60),
            (73, 40),
            (70, 23),
            (63, 18),
            (50, 21),
        ]
    )
    c.cloth(torso)
    neck = (
        [(38, 17.5), (50, 34), (62, 17.5)]
        if shape == 1
        else smooth([(38, 17.5), (41, 24), (50, 28), (59, 24), (62, 17.5)], closed=False)
    )
    c.fill([*neck, (56, 19), (44, 19)], mix(c.dark, INK, 0.25), shade=0)
    c.line(neck, c.light if sum(c.colour) < 420 else c.dark, 1.8)
    if shape == 2:
        c.fill(box(56, 38, 67, 51, 1.5), c.dark, shade=0.4)
        c.line([(56, 40.5), (67, 40.5)], c.accent, 0.7)
    c.line([(28, 80), (50, 81.5), (72, 80)], c.dark, 0.5)


def tote(c: Canvas, shape: int) -> None:
    """A bag with two handles; a leather label, a wide band at the foot, or a pocket."""
    c.shadow(50, 86, 32, 5)
    handle = smooth([(36, 40), (37, 22), (50, 13), (63, 22), (64, 40)], closed=False)
    c.line([(x + 2, y - 3) for x, y in handle], mix(c.dark, INK, 0.3), 2.6)
    c.cloth(
        smooth([(22, 38), (50, 37), (78, 38), (81, 60), (80, 85), (50, 87), (20, 85), (19, 60)])
    )
    c.line(handle, c.dark, 2.8)
    for x in (36, 64):
        c.fill(box(x - 3, 38, x + 3, 47, 1), WOOD, shade=0.5)
    if shape == 1:
        c.fill([(19.3, 70), (80.7, 70), (80, 85.5), (50, 87), (20, 85.5)], WOOD)
    elif shape == 2:
        c.fill(box(34, 54, 66, 77, 2.5), c.dark, shade=0.5)
        c.line([(36, 57), (64, 57)], c.light, 0.6)
    else:
        c.fill(box(42, 57, 58, 66, 1.2), WOOD, shade=0.5)
        c.line([(45, 61.5), (55, 61.5)], mix(WOOD, INK, 0.5), 0.7)
    c.line([(22, 40), (50, 39), (78, 40)], c.dark, 0.6)


def beanie(c: Canvas, shape: int) -> None:
    """A knitted hat with a rib; a pompom on two of three."""
    c.shadow(50, 82, 34, 5)
    if shape != 2:
        fluff = mix(c.light, WHITE, 0.45)
        for a in np.arange(0, 2 * np.pi, 0.42):
            c.fill(oval(50 + 7.5 * np.cos(a), 21 + 7.5 * np.sin(a), 3.4, 3.4), fluff, shade=0.5)
        c.fill(oval(50, 21, 8.5, 8.5), fluff, shade=0.7)
    c.cloth(
        smooth([(18, 66), (20, 46), (32, 31), (50, 26), (68, 31), (80, 46), (82, 66), (50, 69)])
    )
    rib = smooth([(15, 63), (50, 60), (85, 63), (87, 72), (85, 80), (50, 84), (15, 80), (13, 72)])
    c.fill(rib, c.dark if shape else mix(c.colour, INK, 0.18))
    for x in np.arange(19, 84, 4.6):
        bend = 3 * (1 - ((x - 50) / 36) ** 2)
        c.line([(x, 63.5 - bend), (x, 79.5 + bend)], mix(c.dark, INK, 0.28), 0.6)


def lamp(c: Canvas, shape: int) -> None:
    """A table lamp, switched on: cone, dome or drum over a turned foot."""
    c.shadow(50, 86, 22, 4)
    metal = mix(WOOD, (200, 160, 90), 0.3)
    if shape == 1:
        c.fill(smooth([(47, 50), (53, 50), (60, 70), (58, 84), (42, 84), (40, 70)]), c.dark)
    else:
        c.fill(box(48.3, 48, 51.7, 84), metal)
        c.fill(oval(50, 66, 6.5, 7.5) if shape else oval(50, 72, 4, 4), c.dark)
    c.fill(smooth([(33, 84), (50, 81), (67, 84), (66, 87), (50, 88.5), (34, 87)]), metal)
    c.fill(oval(50, 51.5, 13, 2.6), (255, 236, 178), shade=0)
    shade = (
        [(39, 17), (61, 17), (76, 50), (50, 52.5), (24, 50)],
        smooth([(25, 50), (27, 34), (37, 21), (50, 17), (63, 21), (73, 34), (75, 50), (50, 52.5)]),
        [(31, 18), (50, 16.5), (69, 18), (72, 50), (50, 52.5), (28, 50)],
    )[shape]
    c.cloth(shade, shade=0.9)
    c.line(
        smooth(
            [(24.5 if shape < 2 else 28, 49.8), (50, 52.3), (75.5 if shape < 2 else 72, 49.8)],
            closed=False,
        ),
        mix(c.light, (255, 236, 178), 0.6),
        1.2,
    )
    c.line([(64, 52), (64, 60)], metal, 0.5)
    c.fill(oval(64, 61, 1.2, 1.2), metal)


_MUG_SIDES: tuple[list[tuple[float, float]], ...] = (
    [(24, 38), (24.5, 60), (25, 79)],
    [(25, 38), (20, 58), (28, 79)],
    [(22, 38), (24, 58), (30, 79)],
)


def mug(c: Canvas, shape: int) -> None:
    """A mug with a little steam: straight, round or tapered."""
    c.shadow(48, 82, 28, 5)
    ear = smooth([(66, 46), (80, 43), (86, 54), (80, 67), (65, 69)], closed=False)
    c.line(ear, c.dark, 5.5)
    c.line([(x - 0.5, y - 0.5) for x, y in ear], c.colour, 3.6)
    left = _MUG_SIDES[shape]
    right = [(94 - x, y) for x, y in reversed(left)]
    c.cloth(smooth([*left, (36, 82.5), (58, 82.5), *right, (47, 42)], steps=16), scale=0.85)
    rim = 47 - left[0][0]
    c.fill(oval(47, 38, rim, 5.2), c.light, shade=0.3)
    c.fill(oval(47, 38.6, rim - 2.4, 3.8), (112, 74, 52), shade=0.8)
    for x, y in ((40, 26), (48, 22), (56, 26)):
        wave = [(x + 1.6 * np.sin(t), y + 8 - 2.2 * t) for t in np.linspace(0, 6, 25)]
        c.line(wave, mix((240, 236, 230), c.colour, 0.25), 0.9)


def armchair(c: Canvas, shape: int) -> None:
    """An armchair on wooden legs; the back is round, square or winged."""
    c.shadow(50, 88, 38, 5)
    for x, lean in ((26, -3), (74, 3)):
        c.fill([(x - 2.5, 74), (x + 2.5, 74), (x + 1.2 + lean, 89), (x - 1.2 + lean, 89)], WOOD)
    back = (
        smooth([(25, 68), (24, 40), (32, 22), (50, 17), (68, 22), (76, 40), (75, 68)]),
        box(24, 18, 76, 70, 8),
        smooth(
            [
                (24, 68),
                (20, 36),
                (21, 18),
                (34, 21),
                (50, 19),
                (66, 21),
                (79, 18),
                (80, 36),
                (76, 68),
            ]
        ),
    )[shape]
    c.cloth(back)
    c.cloth(box(24, 54, 76, 69, 4.5), shade=0.4)
    c.line([(27, 69), (73, 69)], c.dark, 0.8)
    c.line(smooth([(27, 54.5), (50, 53.5), (73, 54.5)], closed=False), c.dark, 0.8)
    c.fill(box(22, 68, 78, 77, 3), c.dark)
    for x in (14, 72):
        c.cloth(
            smooth([(x, 50), (x + 7, 45), (x + 14, 50), (x + 13, 76), (x + 7, 78), (x + 1, 76)])
        )
        c.line(
            smooth([(x + 1, 75), (x, 51), (x + 7, 45.5), (x + 14, 51), (x + 13, 75)], closed=False),
            c.dark,
            0.8,
        )


def plant(c: Canvas, shape: int) -> None:
    """A plant in a patterned pot: upright leaves, a round bush, or a cactus."""
    c.shadow(50, 88, 24, 5)
    if shape == 2:
        _cactus(c)
    else:
        _leaves(c, tall=shape == 0)
    c.fill(oval(50, 59, 20, 3.5), (92, 70, 58), shade=0.5)
    c.cloth([(29, 60), (71, 60), (65, 86), (50, 88), (35, 86)], scale=0.85)
    c.fill([(27, 56.5), (73, 56.5), (72, 63.5), (50, 65), (28, 63.5)], c.colour, shade=1.2)
    c.line([(28, 64), (50, 65.5), (72, 64)], c.dark, 0.7)


def _leaves(c: Canvas, *, tall: bool) -> None:
    angles = np.linspace(-1.15, 1.15, 7 if tall else 11)
    order = sorted(range(len(angles)), key=lambda i: -abs(angles[i]))
    for n, i in enumerate(order):
        a = angles[i]
        length = (48 - 14 * abs(a)) if tall else (34 + 6 * np.cos(5 * a))
        width = 5.5 if tall else 7.5
        along, across = np.array([np.sin(a), -np.cos(a)]), np.array([np.cos(a), np.sin(a)])
        root = np.array([50.0, 59.0])
        droop = np.array([a * 5, abs(a) * 6])
        at = [root + along * length * t + droop * t * t for t in (0, 0.35, 0.7, 1.0)]
        side = [p + across * width * w for p, w in zip(at, (0.2, 0.9, 0.8, 0), strict=True)]
        other = [p - across * width * w for p, w in zip(at, (0.2, 0.9, 0.8, 0), strict=True)]
        outline = [(float(p[0]), float(p[1])) for p in (*side, *reversed(other[:-1]))]
        green = mix(LEAF, (150, 180, 110), 0.12 * (n % 4)) if n % 2 else mix(LEAF, INK, 0.12)
        c.fill(smooth(outline), green, shade=0.7)
        c.line([(float(p[0]), float(p[1])) for p in at[:-1]], mix(green, WHITE, 0.3), 0.5)


def _cactus(c: Canvas) -> None:
    green = mix(LEAF, (70, 140, 120), 0.3)
    for points in (
        [(36, 46), (28, 45), (26, 36)],
        [(62, 40), (72, 39), (74, 28)],
    ):
        c.line(smooth([(50, points[0][1]), *points], closed=False), green, 8)
    c.fill(smooth([(40, 60), (39, 34), (43, 19), (50, 15), (57, 19), (61, 34), (60, 60)]), green)
    for x in (44.5, 50, 55.5):
        c.line([(x, 22 if x == 50 else 27), (x, 57)], mix(green, WHITE, 0.3), 0.5)
    for a in np.arange(0, 2 * np.pi, np.pi / 3):
        c.fill(
            oval(50 + 3.6 * np.cos(a), 14 + 3.6 * np.sin(a), 2.8, 2.8), (238, 150, 150), shade=0.3
        )
    c.fill(oval(50, 14, 2.4, 2.4), (250, 214, 120), shade=0)


def cushion(c: Canvas, shape: int) -> None:
    """A plump cushion: square with piping, with tassels, or a long one with a button."""
    c.shadow(50, 85, 34, 5)
    if shape == 2:
        outline = smooth(
            [
                (8, 38),
                (30, 35),
                (70, 35),
                (92, 38),
                (90, 60),
                (92, 82),
                (70, 85),
                (30, 85),
                (8, 82),
                (10, 60),
            ]
        )
    else:
        outline = smooth(
            [(17, 18), (50, 22), (83, 18), (80, 51), (83, 85), (50, 81), (17, 85), (20, 51)]
        )
    c.cloth(outline, scale=1.15, shade=1.2)
    c.line([*outline, outline[0]], c.dark, 1.3)
    if shape == 1:
        for x, y in ((17, 18), (83, 18), (17, 85), (83, 85)):
            c.fill(oval(x, y, 4, 4), c.accent, shade=0.6)
    if shape == 2:
        c.fill(oval(50, 60, 3.4, 3.4), c.dark)
        for dx, dy in ((-9, -3), (9, -3), (-8, 4), (8, 4)):
            c.line([(50 + dx * 0.5, 60 + dy * 0.5), (50 + dx, 60 + dy)], c.dark, 0.5)


def notebook(c: Canvas, shape: int) -> None:
    """A notebook seen from above: with an elastic band, a spiral, or a label."""
    c.shadow(52, 88, 30, 4)
    paper = (250, 246, 236)
    c.fill(box(27, 16, 79, 88, 2), mix(paper, INK, 0.12))
    c.fill(box(26, 15, 77.5, 86.5, 2), paper, shade=0.3)
    c.cloth(box(24, 13, 76, 85, 2.5))
    if shape == 1:
        for y in np.arange(18, 83, 6.2):
            c.fill(oval(28.5, y, 1.3, 1.3), INK, shade=0)
            c.line(
                smooth([(28.5, y), (25, y - 1.8), (21.5, y), (24, y + 1.2)], closed=False),
                (150, 150, 156),
                1.0,
            )
    else:
        c.fill(box(24, 13, 32, 85, 2.5), c.dark, shade=0.6)
    if shape == 0:
        c.fill(box(67, 12.5, 69.5, 85.5), mix(c.dark, INK, 0.4), shade=0)
        c.fill([(42, 85), (46, 85), (46, 94), (44, 92), (42, 94)], c.accent, shade=0)
    else:
        c.fill(box(41, 28, 67, 44, 1.5), paper, shade=0.3)
        for y, x1 in ((33.5, 62), (38.5, 56)):
            c.line([(46, y), (x1, y)], mix(paper, INK, 0.45), 0.7)


DRAWINGS: dict[str, Drawing] = {
    "sneakers": sneakers,
    "shirt": shirt,
    "tote": tote,
    "beanie": beanie,
    "lamp": lamp,
    "mug": mug,
    "armchair": armchair,
    "plant": plant,
    "cushion": cushion,
    "notebook": notebook,
}
