"""Which files count as input, and that no two outputs share a name."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusionseg.data import DigestSet, InputImage, OutputNames, find_images, listed_images, walk_images


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def relatives(images: Iterable[InputImage]) -> list[str]:
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


def test_a_folder_is_walked_in_the_order_of_the_sorted_list_while_it_is_searched(tmp_path, monkeypatch) -> None:
    touch(tmp_path, "a.png", "a/z.png", "a-b/c.png", "a/b/d.png", "a b.png", "é.png", "Z.png", "a/b.png", "late/e.png")
    assert relatives(walk_images(tmp_path)) == relatives(find_images([tmp_path]))
    assert relatives(walk_images(tmp_path, ["z.*"])) == ["a/z.png"]
    scanned = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: scanned.append(Path(folder).name) or scan(folder))
    before = len(scanned)
    next(images := walk_images(tmp_path))
    assert len(scanned) == before + 1
    assert "late" not in scanned
    assert len(list(images)) == 8


def test_a_list_names_each_image_once_and_as_seen_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    lines = ["\ufeffsub/a.jpg", "", "../b.jpg", f"{tmp_path}/here/c d.jpg", "sub/../sub/a.jpg", "sub/./x", " e.jpg\r"]
    found = list(listed_images(f"{line}\n".encode() for line in lines))
    elsewhere = f"{tmp_path}/b.jpg"
    assert [str(i.relative) for i in found] == ["sub/a.jpg", elsewhere, "c d.jpg", "sub/x", " e.jpg"]
    assert [str(i.path) for i in found][:2] == [f"{tmp_path}/here/sub/a.jpg", elsewhere]
    assert relatives(listed_images([b"a.jpg\n", b"b.png"], ["*.png"])) == ["b.png"]
    (undecodable,) = listed_images([b"\xff.jpg"])
    assert os.fsencode(undecodable.path.name) == b"\xff.jpg"


def outputs(images: Iterable[InputImage]) -> list[str]:
    names = OutputNames()
    return [names.give(image) for image in images]


def test_output_names_keep_the_extension_only_where_they_must(tmp_path: Path) -> None:
    touch(tmp_path, "d/a.jpg", "d/a.png", "d/b.jpg", "a.jpg", "d/c.x.jpg", "d/A.webp", "d/.jpg", "d/e.")
    expected = ["a", "d/A.webp", "d/a.jpg", "d/a.png", "d/b", "d/c.x", "d/e."]
    assert outputs(find_images([tmp_path])) == outputs(walk_images(tmp_path)) == expected
    # Of a list nothing is known beforehand: the first one takes the name.
    listed = [InputImage(Path(n), Path(n)) for n in ("d/a.jpg", "d/a.png", "D/A.jpg", "/d/a.jpg", "/d/e.jpg")]
    assert outputs(listed) == ["d/a", "d/a.png", "D/A.jpg", "d/a.jpg-2", "d/e"]
    names = OutputNames()
    names.keep("d/a")
    assert names.give(listed[1]) == "d/a.png"


names = st.text(alphabet="aAbß.-2", min_size=1, max_size=7).filter(lambda n: n.strip(".") != "")


@given(st.lists(names, unique=True, max_size=12))
def test_no_two_outputs_share_a_name_on_any_file_system(found: list[str]) -> None:
    images = [InputImage(Path(n), Path(n)) for n in found]
    given_out = outputs(images)
    assert len({name.casefold() for name in given_out}) == len(images)
    assert given_out == outputs(images)


def test_a_set_of_digests_knows_what_it_was_given_also_once_it_is_sorted() -> None:
    seen = DigestSet()
    assert all(seen.add(str(number)) for number in range(70_000))
    assert not any(seen.add(str(number)) for number in range(0, 70_000, 7))
    assert seen.add("\udcff")
