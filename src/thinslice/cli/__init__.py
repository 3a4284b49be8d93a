"""The `thinslice` command: one subcommand per step of the path, and a few to run the service.

Open `path.py` first. Importing a module here is what adds its commands, in this order.
"""

from thinslice.cli import path, money, follow, titles, photos, service, experiments, rules  # isort: skip
from thinslice.cli.command import app, main

__all__ = [
    "app",
    "experiments",
    "follow",
    "main",
    "money",
    "path",
    "photos",
    "rules",
    "service",
    "titles",
]
