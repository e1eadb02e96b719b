"""Which files count as input, and that no two outputs share a name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusionseg.data import InputImage, find_images, output_stems


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def relatives(images: list[InputImage]) -> list[str]:
    return [image.relative.as_posix() for image in images]


def test_every_visible_file_counts_and_is_sorted(tmp_path: Path) -> None:
    touch(tmp_path, "b.jpg", "a/z.PNG", "a/notes.txt", "noextension", ".hidden.jpg", ".git/x.jpg", "Thumbs.db")
    touch(tmp_path, "a/desktop.ini", "a/.DS_Store")
    assert relatives(find_images([tmp_path])) == ["a/notes.txt", "a/z.PNG", "b.jpg", "noextension"]
    assert relatives(find_images([tmp_path], include=["*.jpg", "*.PNG"])) == ["a/z.PNG", "b.jpg"]


def test_a_file_is_named_alone_and_never_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "sub/a.jpg", "sub/b.jpg")
    monkeypatch.chdir(tmp_path)
    found = find_images([Path("sub"), tmp_path / "sub" / "a.jpg", Path("sub/../sub/b.jpg")])
    assert relatives(found) == ["a.jpg", "b.jpg"]
    assert relatives(find_images([Path("sub/a.jpg")])) == ["a.jpg"]


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere: no such file or folder"):
        find_images([tmp_path, tmp_path / "nowhere"])


def test_links_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    touch(tmp_path, "photos/real/a.jpg", "elsewhere/b.jpg")
    photos = tmp_path / "photos"
    (photos / "real" / "up").symlink_to(photos)
    (photos / "again").symlink_to(photos / "real")
    (photos / "linked").symlink_to(tmp_path / "elsewhere")
    (photos / "broken.jpg").symlink_to(tmp_path / "nothing")
    (photos / "self.jpg").symlink_to(photos / "self.jpg")
    assert relatives(find_images([photos])) == ["broken.jpg", "linked/b.jpg", "real/a.jpg", "self.jpg"]


def test_pipes_are_passed_over_and_unreadable_folders_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.jpg", "locked/b.jpg")
    os.mkfifo(tmp_path / "pipe")
    scan = os.scandir

    def refuse(folder: Path) -> object:
        if Path(folder).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert relatives(find_images([tmp_path])) == ["a.jpg", "locked"]


def test_the_folder_of_the_outputs_can_be_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "out/a.mask.png")
    assert relatives(find_images([tmp_path], exclude=[tmp_path / "out"])) == ["a.jpg"]
    assert relatives(find_images([tmp_path], exclude=[tmp_path])) == ["a.jpg", "out/a.mask.png"]


def test_files_of_the_same_relative_path_get_their_folders(tmp_path: Path) -> None:
    touch(tmp_path, "x/one/a.jpg", "x/two/a.jpg", "y/one/a.jpg", "y/one/b.jpg")
    found = find_images([tmp_path / "x/one", tmp_path / "x/two", tmp_path / "y/one"])
    assert relatives(found) == ["b.jpg", "two/a.jpg", "x/one/a.jpg", "y/one/a.jpg"]


def test_output_names_keep_the_extension_only_where_they_must() -> None:
    images = [InputImage(Path(n), Path(n)) for n in ("d/a.jpg", "d/a.png", "d/b.jpg", "a.jpg", "d/c.x.jpg")]
    stems = [stem.as_posix() for stem in output_stems(images).values()]
    assert stems == ["d/a.jpg", "d/a.png", "d/b", "a", "d/c.x"]


names = st.text(alphabet="aAbß.-2", min_size=1, max_size=7).filter(lambda n: n.strip(".") != "")


@given(st.lists(names, unique=True, max_size=12))
def test_no_two_outputs_share_a_name_on_any_file_system(found: list[str]) -> None:
    images = [InputImage(Path(n), Path(n)) for n in found]
    stems = output_stems(images)
    assert len({stem.as_posix().casefold() for stem in stems.values()}) == len(images)
    assert stems == output_stems(images)
