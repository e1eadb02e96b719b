"""Train a student on image–mask pairs and write it for onnxruntime."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from diffusionseg.data import atomic_write, json_bytes
from diffusionseg.distillation.config import DistillConfig
from diffusionseg.distillation.network import StudentNetwork
from diffusionseg.exploitation.batches import Batch
from diffusionseg.exploitation.features import as_tensor
from diffusionseg.exploitation.identity import check_same_run, describe_pairs, remove_run
from diffusionseg.exploitation.loop import train_module
from diffusionseg.exploitation.pair_views import PLAIN, Key, Pair, PairViews, split, step_keys, validation_keys
from diffusionseg.prediction import PredictConfig
from diffusionseg.prediction.hub import CARD
from diffusionseg.prediction.settings import to_json
from diffusionseg.recognition import (
    FOLDER,
    describe_photos,
    find_encoder,
    keep_encoder,
    load_encoder,
    of_frequent_classes,
    train_encoder,
)
from diffusionseg.student.hub import student_card
from diffusionseg.training import Report, Team, has_checkpoint, load_averaged, team_size

if TYPE_CHECKING:
    from diffusionseg.pretraining import Photos

CALIBRATION = 128
"""Pictures from which the ranges of the 8-bit variant are taken."""


def distill(
    pairs: Sequence[Pair],
    out: Path,
    *,
    config: DistillConfig | None = None,
    predict_config: PredictConfig | None = None,
    captioned: Photos | None = None,
    encoder_from: Path | None = None,
    start_from: Path | None = None,
    device: torch.device | str = "cpu",
    overwrite: bool = False,
    report: Report = lambda *_: None,
    report_encoder: Report = lambda *_: None,
) -> None:
    """Train a student on pairs of images (H, W, 3) and masks (H, W) of 0, 128 (ignored), 255, writing to `out`.

    `pairs` may read each pair when it is indexed; `predict_config` is what the student refines with (its teacher's).
    The network begins at random, with an encoder that learns the classes of `captioned` photographs first, with that of
    an earlier run of this or `pretrain`, whose folder is `encoder_from`, or with all weights of an earlier run of this
    network, whose folder is `start_from`.
    `out` gets config.json, student.onnx, student-int8.onnx, a model card (README.md), metrics.jsonl, curves.png,
    previews/ and a checkpoint from which an interrupted run goes on; on one CPU thread it then ends with the same bits.
    The same of the encoder's own training is in encoder/, or a copy of the encoder that was taken.
    Raises ValueError where the packages that write ONNX are missing, for an empty set, for `out` holding another run
    (naming what differs), for captioned photographs of fewer than two classes with enough of them, for two ways to
    begin, and when a loss or gradient is no number.
    """
    # Before hours of training, not after.
    from diffusionseg.distillation.onnx_files import write_onnx

    config, out, device = config or DistillConfig(), Path(out), torch.device(device)
    settings = config.training
    if team_size() > 1:
        raise ValueError("a student is trained by one process: its batch normalisation sees the whole batch")
    if not len(pairs):
        raise ValueError("no pair to train on")
    refuse_two_beginnings(captioned is not None, encoder_from, start_from)
    training, held_out = split(len(pairs), settings.held_out, settings.seed)
    views = PairViews(pairs, config.side, settings.augment, donors=training, seed=settings.seed)
    views.pair((training[0], PLAIN))
    network, begun_with = _network(config, start_from)
    taken = None if encoder_from is None else find_encoder(encoder_from, out)
    if taken is not None:
        if overwrite and taken.resolve() == (out / FOLDER).resolve():
            raise ValueError(f"--encoder-from {taken}: --overwrite deletes it; copy that run, or choose another --out")
        begun_with = {"encoder_from": load_encoder(network, taken)}
    if captioned is not None:
        captioned = of_frequent_classes(captioned, config.encoder.fewest)
        begun_with = {"captioned": describe_photos(captioned), "encoder": to_json(config.encoder)}
    if overwrite and start_from is not None and start_from.resolve() == out.resolve():
        raise ValueError(f"--start-from {start_from}: --overwrite deletes it; copy that run, or choose another --out")
    if overwrite:
        # Not before: pairs or weights that cannot be read must not cost an earlier run.
        remove_run(out, CARD)
    described: dict[str, Any] = {
        "diffusionseg": version("diffusionseg"),
        "student": {"side": config.side, "network": to_json(config.network)},
        "predict": to_json(predict_config or PredictConfig()),
        "training": to_json(settings),
        "data": describe_pairs(pairs),
        **begun_with,
    }
    check_same_run(out, described)
    if taken is not None:
        keep_encoder(taken, out)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if captioned is not None and not has_checkpoint(out):
            train_encoder(
                network,
                captioned,
                out / FOLDER,
                config.encoder,
                side=config.side // 2,
                seed=settings.seed,
                dtype=settings.dtype,
                save_every=settings.save_every,
                device=device,
                report=report_encoder,
            )
        train_module(
            network,
            _PictureBatches(views, training, held_out, config, device),
            out,
            settings,
            Team(device),
            device,
            report,
        )
    pictures = np.stack([views.pair((index, PLAIN))[0] for index in training[:CALIBRATION]])
    described["files"] = write_onnx(network.cpu(), pictures, out)
    # A card that somebody has added to stays.
    atomic_write(out / CARD, student_card(described).encode(), replace=False)
    # The configuration last: a folder that has one is complete.
    atomic_write(out / "config.json", json_bytes(described))


def refuse_two_beginnings(captioned: bool, encoder_from: Path | None, start_from: Path | None) -> None:
    """Raises ValueError where more than one of what a student's encoder can begin with is given."""
    beginnings = {"--captioned": captioned, "--encoder-from": encoder_from, "--start-from": start_from}
    given = [flag for flag, value in beginnings.items() if value]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)}: each says what the student's encoder begins with; give one of them")


def _network(config: DistillConfig, start_from: Path | None) -> tuple[StudentNetwork, dict[str, Any]]:
    """A network to train, and whose weights it begins with (sha256) where those are another run's."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.training.seed)
        network = StudentNetwork(config.network)
    if start_from is None:
        return network, {}
    try:
        return network, {"start_from": load_averaged(start_from, network)}
    except ValueError as error:
        raise ValueError(f"--start-from {error}") from error


class _PictureBatches:
    """Views of pictures, and which of them are for training and which for validation."""

    def __init__(
        self, views: PairViews, training: list[int], held_out: list[int], config: DistillConfig, device: torch.device
    ) -> None:
        self.views, self.training, self.held_out = views, training, held_out
        self.config, self.device = config.training, device

    def of_step(self, step: int) -> Batch:
        config = self.config
        keys = step_keys(self.training, step, batch_size=config.batch_size, views=config.views, seed=config.seed)
        return self._batch(keys)

    def to_validate(self) -> tuple[str, Iterator[Batch]]:
        name, parts = validation_keys(self.training, self.held_out, self.config.batch_size)
        return name, map(self._batch, parts)

    def _batch(self, keys: Sequence[Key]) -> Batch:
        pairs = [self.views.pair(key) for key in keys]
        pictures = [image for image, _ in pairs]
        masks = torch.from_numpy(np.stack([mask for _, mask in pairs])).to(self.device)
        inputs = as_tensor(pictures, self.device).contiguous(memory_format=torch.channels_last)
        return Batch((inputs,), pictures, masks)
