"""A student: the small network of a file in onnxruntime, with what it refines by."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from diffusionseg.data import read_json_object
from diffusionseg.prediction import PredictConfig, Segmenter
from diffusionseg.prediction.settings import from_json
from diffusionseg.prediction.squeeze import squeeze
from diffusionseg.prediction.versions import check_versions, versions
from diffusionseg.prediction.weights_folder import resolve_folder
from diffusionseg.student.files import FILES, INPUT, OUTPUT, variant_of

LIBRARIES = ("diffusionseg", "onnxruntime", "numpy", "scipy", "pillow")
"""Whose versions may change what comes out."""
LARGEST_SIDE = 4096
"""Pixels beyond which a configuration is not believed."""
REMEDY = "copy or download it again, or run the same `diffusionseg distill` command again"


@dataclass(frozen=True)
class _Folder:
    """What a student's config.json says."""

    side: int
    predict: PredictConfig
    digests: dict[str, str]
    content: dict[str, Any]


class Student(Segmenter):
    """Finds the main object of photographs with a small network alone, on one core each."""

    in_batches = False

    def __init__(self, content: bytes, side: int, predict_config: PredictConfig, described: dict[str, Any]) -> None:
        """`content` is that of an ONNX file that `distill` wrote, `side` its pictures' in pixels, `described` what the
        configuration beside it says. Raises ValueError where it is no such file."""
        self.predict_config, self.side = predict_config, side
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
        described, path = _read(folder), folder / FILES[variant]
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ValueError(f"{path}: {error.strerror or error}; {REMEDY}") from error
        if hashlib.sha256(content).hexdigest() != described.digests.get(path.name):
            raise ValueError(f"{path}: not the file that {folder / 'config.json'} tells of; {REMEDY}")
        try:
            return cls(content, described.side, described.predict, described.content)
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

    def saliency(self, images: Sequence[NDArray[np.uint8]], flip: bool = False) -> NDArray[np.float32]:
        """Unrefined saliency (B, S/2, S/2) in 0…1 of pictures (H, W, 3) of any sizes; `flip`: with the mirror's."""
        squeezed = np.stack([squeeze(image, self.side) for image in images])
        pictures: NDArray[np.float32] = np.ascontiguousarray(squeezed.transpose(0, 3, 1, 2), np.float32)
        pictures /= np.float32(255)
        result = self._run(pictures)
        if flip:
            mirrored = self._run(np.ascontiguousarray(pictures[..., ::-1]))[..., ::-1]
            result = (result + mirrored) * np.float32(0.5)
        return result

    def _run(self, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
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


def _read(folder: Path) -> _Folder:
    path = folder / "config.json"
    if not path.is_file():
        raise ValueError(f"{folder}: has no config.json; expected a folder written by `diffusionseg distill`")
    content = read_json_object(path)
    try:
        side, files = content["student"]["side"], content["files"]
        if type(side) is not int or not 1 <= side <= LARGEST_SIDE or not isinstance(files, dict):
            raise ValueError(f"side {side!r}, files {files!r}")
        return _Folder(side, from_json(PredictConfig, content["predict"]), files, content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path}: not a student's configuration ({error!r})") from error
