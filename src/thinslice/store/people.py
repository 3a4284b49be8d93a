"""Who was given a link, who looked at what, and what they said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from thinslice.store.control_file import clock_us
from thinslice.store.shops import ShopTables

FEEDBACK_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Feedback:
    """An answer to "was this right? what did you expect?", with the state of the page it was about.

    `state` is the address (path and query) that shows the same page again; `who` the label of the
    link that was used; `right` None where only a text was left.
    """

    page: str
    state: str
    right: bool | None
    text: str
    who: str = ""
    time_us: int = 0


@dataclass(frozen=True, slots=True)
class Visit:
    """A page that was opened, by whom (the label of the link) and in which state (its address)."""

    page: str
    state: str
    who: str = ""
    time_us: int = 0


@dataclass(frozen=True, slots=True)
class Link:
    """A shared link: its label, and until when it opens the shop's pages."""

    label: str
    created_us: int
    expires_us: int


class PeopleTables(ShopTables):
    """Links, feedback and visits."""

    def add_link(self, shop: str, label: str, expires_us: int) -> None:
        """Note that a link was given out."""
        self.shop(shop)
        with self._writing() as db:
            db.execute(
                "insert into links(shop, label, created_us, expires_us) values (?, ?, ?, ?)",
                (shop, label, clock_us(), expires_us),
            )

    def links(self, shop: str) -> list[Link]:
        """The links that were given out, the oldest first."""
        with self._reading() as db:
            rows = db.execute(
                "select label, created_us, expires_us from links where shop = ? order by number",
                (shop,),
            ).fetchall()
        return [Link(*row) for row in rows]

    def add_feedback(self, shop: str, feedback: Feedback) -> None:
        """Keep what someone said about a page; a text is cut at 2000 characters."""
        self.shop(shop)
        right = None if feedback.right is None else int(feedback.right)
        with self._writing() as db:
            db.execute(
                'insert into feedback(shop, time_us, who, page, state, "right", text)'
                " values (?, ?, ?, ?, ?, ?, ?)",
                (
                    *(shop, feedback.time_us or clock_us(), feedback.who, feedback.page),
                    *(feedback.state, right, feedback.text[:FEEDBACK_CHARACTERS]),
                ),
            )

    def feedback(self, shop: str, limit: int = 500) -> list[Feedback]:
        """What people said, the latest first."""
        with self._reading() as db:
            rows = db.execute(
                'select page, state, "right", text, who, time_us from feedback'
                " where shop = ? order by number desc limit ?",
                (shop, limit),
            ).fetchall()
        return [
            Feedback(page, state, None if right is None else bool(right), *rest)
            for page, state, right, *rest in rows
        ]

    def add_visits(self, visits: Iterable[tuple[str, Visit]]) -> None:
        """Keep which pages of which shops were opened, in one transaction."""
        with self._writing() as db:
            db.executemany(
                "insert into visits(shop, time_us, who, page, state) values (?, ?, ?, ?, ?)",
                [(s, v.time_us or clock_us(), v.who, v.page, v.state) for s, v in visits],
            )

    def visits(self, shop: str, limit: int = 500) -> list[Visit]:
        """The pages that were opened, the latest first."""
        with self._reading() as db:
            rows = db.execute(
                "select page, state, who, time_us from visits"
                " where shop = ? order by number desc limit ?",
                (shop, limit),
            ).fetchall()
        return [Visit(*row) for row in rows]
