"""A student's encoder before it sees a mask: it learns to tell the classes of captioned photographs apart.

A student that begins so finds objects better after the same steps on pseudo-masks (recipes/mini, "The student"). Names
are such as captions for a generator are made of.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from diffusionseg.distillation.config import DistillConfig
from diffusionseg.distillation.crops import crops
from diffusionseg.distillation.network import StudentNetwork
from diffusionseg.exploitation.loop import Report
from diffusionseg.prediction.settings import to_json
from diffusionseg.training import (
    Journal,
    MixedPrecision,
    WeightAverage,
    batch_indices,
    load_checkpoint,
    other_weights,
    save_checkpoint,
    step_generator,
    warm_cosine,
)

if TYPE_CHECKING:
    from diffusionseg.pretraining import Photos

HELD_OUT = 0.025
"""Share of the photographs, at least one, that measure instead."""
GRADIENT_NORM = 5.0
"""Norm that gradients are shortened to."""
REMEDY = "use --autocast fp32 or another --seed, or --overwrite to begin anew"


def of_frequent_classes(photos: Photos, fewest: int) -> Photos:
    """Those photographs whose class has at least `fewest`. Raises ValueError where fewer than two classes have."""
    counts = np.bincount(photos.labels, minlength=len(photos.names))
    kept = np.flatnonzero(counts >= fewest)
    if len(kept) < 2:
        raise ValueError(
            f"--captioned: {len(kept)} of {len(photos.names)} classes have {fewest} photographs or more; two are needed"
        )
    rows = np.isin(photos.labels, kept)
    labels = np.searchsorted(kept, photos.labels[rows])
    return replace(photos, images=photos.images[rows], labels=labels, names=tuple(photos.names[k] for k in kept))


def describe_photos(photos: Photos) -> dict[str, Any]:
    """Number of photographs and classes, and sha256 over them all."""
    digest = hashlib.sha256(repr((photos.images.shape, photos.names)).encode())
    digest.update(np.ascontiguousarray(photos.images).data)
    digest.update(np.ascontiguousarray(photos.labels).data)
    return {"count": len(photos), "classes": len(photos.names), "sha256": digest.hexdigest()}


def train_encoder(
    network: StudentNetwork,
    photos: Photos,
    out: Path,
    config: DistillConfig,
    device: torch.device,
    report: Report = lambda *_: None,
) -> None:
    """Train the encoder of `network` in place, going on from the checkpoint in `out` where there is one.

    `out` gets metrics.jsonl with the share of held-out photographs (0…1) that are named rightly, curves.png and the
    checkpoint. What a step draws depends on seed and step alone. Raises ValueError for `out` holding the encoder of
    another run, and when the loss or the gradient is no number.
    """
    settings, seed = config.encoder, config.training.seed
    identity = {"captioned": describe_photos(photos), "encoder": to_json(settings), "seed": seed, "side": config.side}
    learner = _Namer(network, len(photos.names), seed).to(device)
    optimizer = torch.optim.AdamW(_groups(learner, settings.weight_decay), settings.learning_rate)
    average = WeightAverage(learner, settings.average_decay)
    resumed = load_checkpoint(out, learner, average, optimizer)
    first, state = resumed or (0, {})
    if resumed and state.get("run") != identity:
        raise ValueError(f"{out}: holds the encoder of another run; use another --out or --overwrite")
    precision = MixedPrecision(config.training.dtype, device)
    precision.restore(state.get("scaler"))
    training, held_out = _split(len(photos), seed)
    side = config.side // 2
    journal = Journal(out, first)
    for step in range(first, settings.steps):
        learner.train()
        rate = settings.learning_rate * warm_cosine(step, settings.steps, max(1, settings.steps // 20))
        for group in optimizer.param_groups:
            group["lr"] = rate
        rows = training[batch_indices(len(training), settings.batch_size, seed, step)]
        pictures = crops(photos.images[rows], side, settings, step_generator(seed, step)).to(device)
        labels = torch.from_numpy(photos.labels[rows]).to(device)
        with precision.autocast():
            logits = learner(pictures)
        loss = functional.cross_entropy(logits.float(), labels, label_smoothing=settings.smoothing)
        if not math.isfinite(loss.item()):
            raise ValueError(f"the loss is {loss.item()} at step {step} of the encoder; {REMEDY}")
        precision.step(loss, learner, optimizer, GRADIENT_NORM, f"at step {step} of the encoder; {REMEDY}")
        average.update(learner)
        values = {"loss": loss.item(), "learning_rate": rate}
        done = step + 1
        saves = done % config.training.save_every == 0 or done == settings.steps
        if saves:
            values["accuracy"] = _accuracy(learner, average, photos, held_out, side, settings.batch_size, device)
        journal.write(step, **values)
        report(done, settings.steps, values)
        if saves:
            state = {"run": identity, "scaler": precision.state()}
            save_checkpoint(out, done, learner, average, optimizer, state)
            journal.plot({"loss": ["loss"], "share of held-out photographs named rightly": ["accuracy"]})
    learner.load_state_dict(average.weights)


class _Namer(nn.Module):
    """Pictures (B, 3, S, S) in 0…1 to logits (B, classes), by the encoder of a student."""

    def __init__(self, network: StudentNetwork, classes: int, seed: int) -> None:
        super().__init__()
        # Not the whole network: what comes after the encoder would be averaged and saved as well.
        self.stem, self.grids = network.stem, network.grids
        self._encode = network.encode
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = nn.Linear(network.config.widths[-1], classes)

    def forward(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.head(self._encode(pictures)[-1].mean((2, 3)))
        return logits


def _groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameters for an optimiser; offsets and the scales of normalisations do not decay."""
    parameters = list(module.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _split(count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to train on, and rows that measure; disjoint."""
    order = np.random.default_rng(seed).permutation(count)
    held_out = max(1, round(HELD_OUT * count))
    return np.sort(order[held_out:]), np.sort(order[:held_out])


@torch.no_grad()
def _accuracy(
    learner: nn.Module,
    average: WeightAverage,
    photos: Photos,
    rows: NDArray[np.int64],
    side: int,
    batch_size: int,
    device: torch.device,
) -> float:
    """Share of whole photographs that the averaged weights name rightly."""
    learner.eval()
    right = 0
    with other_weights(learner, average.weights):
        for start in range(0, len(rows), batch_size):
            some = rows[start : start + batch_size]
            pictures = torch.from_numpy(photos.images[some]).permute(0, 3, 1, 2).to(device).float() / 255
            pictures = functional.interpolate(pictures, (side, side), mode="bilinear", antialias=True)
            right += int((learner(pictures).argmax(1).cpu().numpy() == photos.labels[some]).sum())
    return right / len(rows)
