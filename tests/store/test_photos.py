from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from thinslice.errors import InputError
from thinslice.store.photos import PhotoStore, read_photos


def _picture(
    size: tuple[int, int], kind: str = "JPEG", mode: str = "RGB", **options: object
) -> bytes:
    out = BytesIO()
    Image.new(mode, size, (200, 30, 30, 0) if mode == "RGBA" else None).save(out, kind, **options)
    return out.getvalue()


def _size(path: Path | None) -> tuple[int, int]:
    assert path is not None
    with Image.open(path) as picture:
        assert picture.format == "JPEG" and picture.mode == "RGB"
        return picture.size


@pytest.fixture
def store(tmp_path: Path) -> PhotoStore:
    return PhotoStore(tmp_path / "photos")


def test_a_small_jpeg_is_kept_as_it_is(store: PhotoStore) -> None:
    data = _picture((60, 80))
    assert store.put("1", data).read_bytes() == data
    assert store.path("2") is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_large_picture_becomes_a_small_jpeg(store: PhotoStore, kind: str) -> None:
    assert _size(store.put("1", _picture((2000, 1000), kind))) == (640, 320)


def test_a_picture_is_turned_upright(store: PhotoStore) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert _size(store.put("1", _picture((100, 50), exif=exif))) == (50, 100)


def test_transparency_becomes_white(store: PhotoStore) -> None:
    with Image.open(store.put("1", _picture((20, 20), "PNG", "RGBA"))) as picture:
        assert picture.getpixel((10, 10)) == (255, 255, 255)


@pytest.mark.parametrize("product_id", ["../../etc/passwd", "a/b", "", "ä 🙂", "x" * 5000])
def test_no_id_leads_out_of_the_folder(store: PhotoStore, tmp_path: Path, product_id: str) -> None:
    path = store.put(product_id, _picture((10, 10)))
    assert store.path(product_id) == path
    assert path.resolve().is_relative_to((tmp_path / "photos").resolve())


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"GIF89a nothing", "JPEG, PNG or WebP"),
        (_picture((10, 10), "GIF", "P"), "JPEG, PNG or WebP"),
        (_picture((900, 900))[:300], "complete"),
        (_picture((7000, 6000), "PNG", "1"), "40 million pixels"),
        (_picture((20000, 20000), "PNG", "1"), "40 million pixels"),
        (b"\xff\xd8" + b"0" * (21 << 20), "20 MB"),
    ],
    ids=["text", "gif", "cut off", "too many pixels", "a bomb", "too many bytes"],
)
def test_what_is_no_fit_picture_is_refused_with_the_rule(
    store: PhotoStore, data: bytes, rule: str
) -> None:
    with pytest.raises(InputError, match=rule):
        store.put("1", data)
    assert store.path("1") is None


def _folder(tmp_path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "in"


def _zip(tmp_path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return tmp_path / "in.zip"


@pytest.mark.parametrize("pack", [_folder, _zip])
def test_photos_are_matched_by_their_name_and_the_rest_is_reported(
    store: PhotoStore, tmp_path: Path, pack: object
) -> None:
    small = _picture((10, 10))
    files = {
        "red/7.jpg": small,
        "z/7.png": _picture((10, 10), "PNG"),
        "a%2Fb.jpeg": small,
        "9.jpg": b"no picture",
        "unknown.jpg": small,
        "notes.txt": b"hello",
        ".DS_Store": b"",
    }
    source = pack(tmp_path, files)  # type: ignore[operator]
    photos, report = read_photos(source, {"7", "a/b", "9", "8"})
    assert sorted(store.put_all(photos, report)) == ["7", "a/b"]
    assert (report.rows, report.kept, report.skipped) == (6, 2, 4)
    assert {p.value: p.rule.split(" must ")[0] for p in report.problems} == {
        "z/7.png": "a product has one photo, and an earlier file has it",
        "9": "a photo",
        "unknown.jpg": "a photo",
        "notes.txt": "a photo",
    }
    assert _size(store.path("7")) == (10, 10)


def test_an_archive_that_climbs_out_or_swells_does_no_harm(
    store: PhotoStore, tmp_path: Path
) -> None:
    source = tmp_path / "evil.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../7.jpg", _picture((10, 10)))
        archive.writestr("8.jpg", b"\0" * (30 << 20))
    photos, report = read_photos(source, {"7", "8"})
    assert store.put_all(photos, report) == ["7"]
    assert not (tmp_path.parent / "7.jpg").exists()
    assert [p.rule for p in report.problems] == ["a photo must have at most 20 MB"]


def test_progress_counts_photos(tmp_path: Path) -> None:
    source = _folder(tmp_path, {f"{i}.jpg": _picture((5, 5)) for i in range(3)})
    said: list[tuple[int, int | None]] = []
    photos, _ = read_photos(source, {"0", "1"}, progress=lambda *now: said.append(now))
    assert len(list(photos)) == 2 and said == [(1, 3), (2, 3), (3, 3)]


def test_a_wrong_source_and_an_empty_catalogue_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "one.jpg").write_bytes(_picture((5, 5)))
    with pytest.raises(InputError, match="folder or a zip"):
        read_photos(tmp_path / "one.jpg", {"one"})
    with pytest.raises(InputError, match="not there"):
        read_photos(tmp_path / "nothing", {"one"})
    with pytest.raises(InputError, match="import products first"):
        read_photos(tmp_path, {})
