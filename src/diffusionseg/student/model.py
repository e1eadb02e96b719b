"""A student: the small network of a file in onnxruntime, with what it refines by."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from diffusionseg.data import atomic_write, json_bytes
from diffusionseg.prediction import PredictConfig, Segmenter
from diffusionseg.prediction.hub import CARD, upload
from diffusionseg.prediction.settings import to_json
from diffusionseg.prediction.versions import check_versions, versions
from diffusionseg.prediction.weights_folder import resolve_folder
from diffusionseg.student.files import FILES, INPUT, OUTPUT, variant_of
from diffusionseg.student.folder import REMEDY, read_folder, read_network
from diffusionseg.student.hub import student_card

LIBRARIES = ("diffusionseg", "onnxruntime", "numpy", "scipy", "pillow")
"""Whose versions may change what comes out."""


class Student(Segmenter):
    """Finds the main object of photographs with a small network alone, on one core each."""

    in_batches = False

    def __init__(
        self,
        content: bytes,
        side: int,
        predict_config: PredictConfig,
        described: dict[str, Any],
        folder: Path | None = None,
    ) -> None:
        """`content` is that of an ONNX file that `distill` wrote, `side` its pictures' in pixels, `described` what the
        configuration beside it says, `folder` where both lie. Raises ValueError where it is no such file."""
        self.predict_config, self._side, self._folder = predict_config, side, folder
        self._fingerprint = hashlib.sha256(content).hexdigest()
        self._content, self._described = content, described
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # Only errors: warnings are for the developers of graphs.
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            inputs = {i.name: list(i.shape[1:]) for i in self._session.get_inputs()}
            outputs = [o.name for o in self._session.get_outputs()]
        except Exception as error:
            # The runtime's own classes have no common one.
            raise ValueError(f"not a network that onnxruntime can run ({error})") from error
        if inputs != {INPUT: [3, side, side]} or outputs != [OUTPUT]:
            raise ValueError(f"expected {INPUT} of 3x{side}x{side} to {OUTPUT}, not {inputs} to {outputs}")

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path = "student",
        *,
        local_files_only: bool = False,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        token: str | bool | None = None,
    ) -> Student:
        """Load `student`, `student-int8`, a folder that `distill` wrote, a .onnx file of it, or a hub id.

        Raises ValueError, naming the file, when one is missing, damaged or not that of its configuration.
        """
        place, variant = variant_of(name_or_path)
        folder = resolve_folder(
            place, local_files_only=local_files_only, revision=revision, cache_dir=cache_dir, token=token
        )
        described, path = read_folder(folder), folder / FILES[variant]
        content = read_network(path, described.digests)
        try:
            return cls(content, described.side, described.predict, described.content, folder)
        except ValueError as error:
            raise ValueError(f"{path}: {error}; {REMEDY}") from error

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) of the network's file."""
        return self._fingerprint

    def names(self) -> dict[str, str]:
        """Its own fingerprint."""
        return {"student": self.fingerprint}

    def description(self, **extra: Any) -> dict[str, Any]:
        """Its shape and training, the version of this package, and how it predicts."""
        return {**self._described, "diffusionseg": version("diffusionseg"), **extra}

    def save_pretrained(self, directory: str | Path, **extra: Any) -> None:
        """Write the network, its other variant where that lies beside it, README.md, and config.json with `extra`
        entries. Raises ValueError where the other variant is damaged."""
        files = self._files()
        described = self._saved(files) | extra
        for name, content in files.items():
            atomic_write(Path(directory) / name, content)
        atomic_write(Path(directory) / CARD, (self._own_card() or student_card(described)).encode())
        # The configuration last: a folder that has one is complete.
        atomic_write(Path(directory) / "config.json", json_bytes(described))

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        token: str | bool | None = None,
        license: str | None = None,
    ) -> str:
        """Upload what `save_pretrained` writes to a hub repository, made if needed; returns its address.

        A model card (README.md) in the student's folder that somebody wrote goes along, unless a `license` is given:
        then, and where there is none, a new one is made.
        """
        own, described = None if license else self._own_card(), self._saved(self._files())

        def card(repository: str) -> str:
            return own or student_card(described, repository, license)

        return upload(repo_id, self.save_pretrained, card, private=private, token=token)

    def _files(self) -> dict[str, bytes]:
        """Content of the variants that are at hand, by file name."""
        digests, contents = self._described.get("files", {}), {}
        for name in FILES.values():
            if digests.get(name) == self._fingerprint:
                contents[name] = self._content
            elif name in digests and self._folder is not None and (self._folder / name).is_file():
                contents[name] = read_network(self._folder / name, digests)
        return contents or {FILES["student"]: self._content}

    def _saved(self, files: dict[str, bytes]) -> dict[str, Any]:
        """What config.json says beside these files."""
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        student = {"side": self.side, **self._described.get("student", {})}
        return self.description(student=student, files=digests, predict=to_json(self.predict_config))

    def _own_card(self) -> str | None:
        """The card in its folder, where that is not just as it was made."""
        path = self._folder / CARD if self._folder is not None else None
        if path is None or not path.is_file():
            return None
        text = path.read_text(encoding="utf-8")
        return None if text == student_card(self._described) else text

    @property
    def side(self) -> int:
        """Side in pixels of the squares that the network reads."""
        return self._side

    def saliency_of_squares(self, squares: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Unrefined saliency (B, side/2, side/2) in 0…1 of squares (B, side, side, 3)."""
        pictures: NDArray[np.float32] = np.ascontiguousarray(squares.transpose(0, 3, 1, 2), np.float32)
        pictures /= np.float32(255)
        try:
            saliency: NDArray[np.float32] = self._session.run([OUTPUT], {INPUT: pictures})[0]
        except Exception as error:
            # The runtime's own classes are no RuntimeErrors, by whose words a lack of memory is told.
            raise RuntimeError(str(error)) from error
        return saliency

    def copy_for_thread(self) -> Student:
        """Itself: a session may be run from several threads."""
        return self

    def side_by_side(self, workers: int) -> ThreadPoolExecutor:
        """Threads; a session uses the one that runs it."""
        return ThreadPoolExecutor(workers)

    def sender(self) -> Callable[[int], Student]:
        """Sends the network itself."""
        return partial(_received, self._content, self.side, self.predict_config, self._described, versions(LIBRARIES))


def _received(
    content: bytes, side: int, config: PredictConfig, described: dict[str, Any], libraries: dict[str, str], number: int
) -> Student:
    check_versions(libraries)
    return Student(content, side, config, described)
