"""An export larger than what is read at once does not grow the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_READ = """
import resource, sys
from pathlib import Path
from thinslice.store.exports.staging import stage_events

def read(name):
    folder = Path(sys.argv[1])
    staged = stage_events(folder / name, None, folder, currency="EUR", time_zone="UTC")
    return staged.report.kept, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

_, small_mb = read("small.csv")
kept, large_mb = read("large.csv")
print(kept, large_mb - small_mb)
"""
_ROW = "2019-10-01 00:{:02}:{:02} UTC,{},{},electronics.smartphone,samsung,1081.98,{},session-{}\n"
_HEADER = "event_time,event_type,product_id,category_code,brand,price,user_id,user_session\n"


def _write(path: Path, rows: int) -> None:
    kinds = ("view", "view", "cart", "purchase")
    with path.open("w") as file:
        file.write(_HEADER)
        for i in range(rows):
            file.write(
                _ROW.format(i // 60 % 60, i % 60, kinds[i % 4], i % 5000, i % 9000, i % 20000)
            )


def test_an_export_of_45_megabytes_takes_little_more_memory_than_one_of_4(tmp_path: Path) -> None:
    _write(tmp_path / "small.csv", 50_000)
    _write(tmp_path / "large.csv", 500_000)
    assert (tmp_path / "large.csv").stat().st_size > 40_000_000
    done = subprocess.run(  # a process of its own, whose memory is nobody else's
        [sys.executable, "-c", _READ, str(tmp_path)], capture_output=True, text=True, check=True
    )
    kept, growth_mb = map(int, done.stdout.split())
    assert kept == 500_000
    assert growth_mb < 60
