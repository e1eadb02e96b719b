"""What finds the main object of photographs, whatever it is made of: coarse saliency is its own, all else is here."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffusionseg.data import ImageError, read_image
from diffusionseg.masks import mask_picture
from diffusionseg.memory import OutOfMemory, Room, unless_out_of_memory
from diffusionseg.prediction.predict import PredictConfig, Prediction, make_prediction
from diffusionseg.prediction.squeeze import border_of, squeeze, without_border

ImageLike = Image.Image | NDArray[np.uint8] | Path | str | bytes | BinaryIO
_SINGLE = (Image.Image, np.ndarray, Path, str, bytes)
_MOST_PIXELS = 50_000_000
"""Pixels of photographs held at once, so that a batch of very large ones does not fill the memory."""
TOO_LARGE = "use --dtype float16, another --device, or a decoder of a smaller generator"
"""What helps where one photograph at the generator's own size is too much."""
NO_NUMBER = "its saliency is no number, in float32 as well; the weights are damaged, copy or download them again"
"""What is wrong with weights that float32 does not help."""
Key = TypeVar("Key")


class Segmenter(ABC):
    """Finds the main object of photographs: coarse saliency, refined to the photograph's size."""

    predict_config: PredictConfig
    """How saliency becomes mask and boxes where nothing else is asked for."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """sha256 (hex) of the weights that were trained for this."""

    @abstractmethod
    def names(self) -> dict[str, str]:
        """Fingerprints (hex) of all its parts by what they are."""

    @abstractmethod
    def description(self, **extra: Any) -> dict[str, Any]:
        """What its `config.json` says, with `extra` entries."""

    @property
    @abstractmethod
    def side(self) -> int:
        """Side in pixels of the squares that it reads."""

    @abstractmethod
    def saliency_of_squares(self, squares: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Unrefined saliency (B, h, w) in 0…1 of squares (B, side, side, 3)."""

    @property
    @abstractmethod
    def in_batches(self) -> bool:
        """Whether photographs go together, as on an accelerator, or each alone and on one core."""

    @property
    def dtype_name(self) -> str:
        """Number format that it computes in, as `--dtype` names it."""
        return "float32"

    @property
    def gpus(self) -> int:
        """CUDA devices that a worker needs."""
        return 0

    @abstractmethod
    def copy_for_thread(self) -> Segmenter:
        """One that may work while this one does, with the same weights in memory."""

    @abstractmethod
    def side_by_side(self, workers: int) -> AbstractContextManager[ThreadPoolExecutor]:
        """Threads in each of which such copies use one core."""

    @abstractmethod
    def sender(self) -> Callable[[int], Segmenter]:
        """Makes the same segmenter for the worker of a number in another process; can be pickled.

        It raises ValueError there where weights or libraries are others, since results would differ.
        """

    def saliency(
        self, images: Sequence[NDArray[np.uint8]], flip: bool = False, margins: Sequence[float] = (0.0,)
    ) -> NDArray[np.float32]:
        """Unrefined saliency (B, h, w) in 0…1 of pictures (H, W, 3) of any sizes: the mean over views.

        There is one view for each of `margins` (see `PredictConfig`) and, with `flip`, its mirror image.
        """
        views = []
        for margin in margins:
            border = border_of(margin, self.side)
            squares = np.stack([squeeze(image, self.side, border) for image in images])
            found = [self.saliency_of_squares(squares)]
            if flip:
                found.append(self.saliency_of_squares(np.ascontiguousarray(squares[:, :, ::-1]))[..., ::-1])
            views += [without_border(one, border / self.side) for one in found]
        mean: NDArray[np.float32] = np.mean(views, axis=0) if len(views) > 1 else views[0]
        return mean

    def __call__(self, images: ImageLike | Sequence[ImageLike]) -> Any:
        """The main object as `transformers.pipeline("image-segmentation")` gives it: for one photograph a list of one
        `{"score", "label", "mask"}`, empty where nothing was found, for several a list of such lists; `mask` is a
        picture of 0 and 255 of the photograph's size."""
        found = [
            [{"score": prediction.scores[0], "label": "object", "mask": mask_picture(prediction.mask)}]
            if prediction.boxes
            else []
            for prediction in self.predict(images)
        ]
        return found[0] if _is_single(images) else found

    def predict(
        self, images: ImageLike | Sequence[ImageLike], batch_size: int = 8, config: PredictConfig | None = None
    ) -> list[Prediction]:
        """Predict one photograph or several (pictures, (H, W, 3) uint8 arrays, paths, file contents or open
        binary files), in order.

        Raises ImageError naming the first that cannot be read; `predict_iter` goes on after such.
        """
        several = cast("Sequence[ImageLike]", [images] if _is_single(images) else images)
        predictions = []
        for _, outcome in self.predict_iter(enumerate(several), batch_size, config):
            if isinstance(outcome, ImageError):
                raise outcome
            predictions.append(outcome[1])
        return predictions

    def predict_iter(
        self,
        images: Iterable[tuple[Key, ImageLike | Callable[[], ImageLike]]],
        batch_size: int = 8,
        config: PredictConfig | None = None,
        *,
        fixed_batches: bool = False,
    ) -> Iterator[tuple[Key, tuple[Image.Image, Prediction] | ImageError]]:
        """Yield (key, (photograph, prediction)) in order, or (key, ImageError) for what cannot be read.

        A callable is asked for its picture when its turn comes. Only one batch of photographs is held at a time, and
        fewer than `batch_size` where they are very large. Where memory runs out, half as many go through the generator
        together from then on; a photograph for which there is not enough is an ImageError. With `fixed_batches`, for
        results that may depend on `batch_size` alone, OutOfMemory is raised instead.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        config = config or self.predict_config
        room = Room(batch_size, "photographs", TOO_LARGE)
        waiting: list[tuple[Key, Image.Image | ImageError]] = []
        pixels = 0
        for key, source in images:
            try:
                photo = read_image(source() if callable(source) else source)
                waiting.append((key, photo))
                pixels += photo.width * photo.height
            except ImageError as error:
                waiting.append((key, error))
            # Errors count too, or a thousand of them would keep a finished photograph waiting.
            if len(waiting) >= batch_size or pixels >= _MOST_PIXELS:
                yield from self._predict_batch(waiting, config, room, fixed_batches)
                waiting, pixels = [], 0
        yield from self._predict_batch(waiting, config, room, fixed_batches)

    def _predict_batch(
        self, waiting: list[tuple[Key, Image.Image | ImageError]], config: PredictConfig, room: Room, fixed: bool
    ) -> Iterator[tuple[Key, tuple[Image.Image, Prediction] | ImageError]]:
        photos = [np.asarray(w) for _, w in waiting if isinstance(w, Image.Image)]
        started = time.perf_counter()
        coarse = iter(self._coarse(photos, config, room, fixed))
        share = (time.perf_counter() - started) / max(1, len(photos))
        for key, item in waiting:
            if isinstance(item, ImageError):
                yield key, item
                continue
            saliency = next(coarse)
            if saliency is None:
                yield key, ImageError(str(key), f"out of memory with this photograph alone; {TOO_LARGE}")
            elif not np.isfinite(saliency).all():
                yield key, ImageError(str(key), NO_NUMBER)
            else:
                yield key, self._refined(key, item, saliency, config, share, fixed)

    def _coarse(
        self, photos: list[NDArray[np.uint8]], config: PredictConfig, room: Room, fixed: bool
    ) -> list[NDArray[np.float32] | None]:
        """Saliency of each photograph, None where there is not enough memory even for it alone."""
        found: list[NDArray[np.float32] | None] = []
        while len(found) < len(photos):
            some = photos[len(found) : len(found) + room.most]
            saliency = unless_out_of_memory(partial(self.saliency, some, config.flip, config.margins))
            if saliency is not None:
                found.extend(saliency)
            elif fixed:
                remedy = "use a smaller --batch-size" if len(some) > 1 else TOO_LARGE
                raise OutOfMemory(f"out of memory with {len(some)} photographs at a time; {remedy}")
            elif len(some) == 1:
                found.append(None)
            else:
                room.shrink(len(some))
        return found

    def _refined(
        self,
        key: object,
        photo: Image.Image,
        saliency: NDArray[np.float32],
        config: PredictConfig,
        share: float,
        fixed: bool,
    ) -> tuple[Image.Image, Prediction] | ImageError:
        try:
            return photo, make_prediction(saliency, np.asarray(photo), config, share)
        except MemoryError:
            if fixed:
                raise
            return ImageError(str(key), "out of memory when it was refined; make the photograph smaller first")


def _is_single(images: ImageLike | Sequence[ImageLike]) -> bool:
    return isinstance(images, _SINGLE) or hasattr(images, "read")
