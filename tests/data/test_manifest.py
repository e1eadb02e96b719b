"""A manifest tells one set from another, and says in what they differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffusionseg.data import ManifestMismatch, check_manifest, read_manifest, write_manifest

SET = {"seed": 7, "classes": ["goldfish"], "config": {"steps": 50, "size": 256}}


def test_a_manifest_survives_the_disk_and_equals_itself(tmp_path: Path) -> None:
    write_manifest(tmp_path, SET)
    check_manifest(read_manifest(tmp_path), {**SET, "classes": ("goldfish",)}, tmp_path)


def test_differences_are_named_with_both_values() -> None:
    wanted = {"seed": 8, "config": {"steps": 50, "size": 512, "extra": None}, "classes": ["goldfish"]}
    with pytest.raises(ManifestMismatch) as caught:
        check_manifest(SET, wanted, Path("out"))
    message = str(caught.value)
    assert message.startswith("out: holds another set (")
    assert "seed is 7, asked for 8" in message
    assert "config.size is 256, asked for 512" in message
    assert "config.extra is absent, asked for None" in message
    assert "steps" not in message
    assert "classes" not in message


@pytest.mark.parametrize(("content", "reason"), [(b"{", "not valid JSON"), (b"[]", "expected a JSON object")])
def test_a_damaged_manifest_is_named(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(ValueError, match=rf"manifest\.json: {reason}"):
        read_manifest(tmp_path)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"manifest\.json: No such file"):
        read_manifest(tmp_path)
