"""An encoder learns to tell the classes of captioned photographs apart.

A student that begins with such an encoder finds objects better after the same steps on pseudo-masks, and so does a
decoder on a generator whose features are aligned with one ("The student" and "Generator" in recipes/mini). Names are
such as a generator's captions are made of.
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

from diffusionseg.prediction.settings import to_json
from diffusionseg.recognition.config import EncoderConfig
from diffusionseg.recognition.crops import crops, cut_in
from diffusionseg.recognition.encoder import Encoder
from diffusionseg.training import (
    Journal,
    MixedPrecision,
    Report,
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

FOLDER = "encoder"
"""Folder of a run that holds the training of its encoder."""
HELD_OUT = 0.025
"""Share of the photographs, at least one, that measure instead."""
GRADIENT_NORM = 5.0
"""Norm that gradients are shortened to."""
CURVES = {"loss": ["loss"], "share of held-out photographs named rightly": ["accuracy"]}
"""Panels of curves.png, and the values drawn in each."""
REMEDY = "begin anew in another --out with another --seed or number format"


def of_frequent_classes(photos: Photos, fewest: int) -> Photos:
    """Those photographs whose class has at least `fewest`. Raises ValueError where fewer than two classes have."""
    counts = np.bincount(photos.labels, minlength=len(photos.names))
    kept = np.flatnonzero(counts >= fewest)
    if len(kept) < 2:
        raise ValueError(
            f"--captioned: {len(kept)} of {len(photos.names)} classes have {fewest} photographs or more; two are needed"
        )
    if len(kept) == len(photos.names):
        return photos
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
    encoder: Encoder,
    photos: Photos,
    out: Path,
    config: EncoderConfig,
    *,
    side: int,
    seed: int,
    dtype: str,
    save_every: int,
    device: torch.device,
    report: Report = lambda *_: None,
) -> None:
    """Train `encoder` in place on crops of `side` pixels, going on from the checkpoint in `out` where there is one.

    `out` gets metrics.jsonl with the share of held-out photographs (0…1) that are named rightly, curves.png and the
    checkpoint. What a step draws depends on `seed` and step alone; `dtype` is auto, fp32, bf16 or fp16. Raises
    ValueError for `out` holding the encoder of another run, and when the loss or the gradient is no number.
    """
    identity = {"captioned": describe_photos(photos), "encoder": to_json(config), "seed": seed, "side": side}
    learner = _Namer(encoder, len(photos.names), seed).to(device)
    optimizer = torch.optim.AdamW(_groups(learner, config.weight_decay), config.learning_rate)
    average = WeightAverage(learner, config.average_decay)
    resumed = load_checkpoint(out, learner, average, optimizer)
    first, state = resumed or (0, {})
    if resumed and state.get("run") != identity:
        raise ValueError(f"{out}: holds the encoder of another run; use another --out")
    if first == config.steps:
        # Its files stay as they are, since their time tells when the encoder was ready, but for curves that a run which
        # was killed right after its last checkpoint has not drawn.
        if not (out / "curves.png").exists():
            Journal(out, first).plot(CURVES)
        learner.load_state_dict(average.weights)
        return
    precision = MixedPrecision(dtype, device)
    precision.restore(state.get("scaler"))
    training, held_out = _split(len(photos), seed)
    journal = Journal(out, first)
    for step in range(first, config.steps):
        learner.train()
        rate = config.learning_rate * warm_cosine(step, config.steps, max(1, config.steps // 20))
        for group in optimizer.param_groups:
            group["lr"] = rate
        rows = training[batch_indices(len(training), config.batch_size, seed, step)]
        drawn = step_generator(seed, step)
        pictures, others, own = cut_in(crops(photos.images[rows], side, config, drawn), config.cutmix, drawn)
        labels = torch.from_numpy(photos.labels[rows])
        others = labels[others]
        with precision.autocast():
            logits = learner(pictures.to(device))
        loss = _loss(logits.float(), labels.to(device), others.to(device), own.to(device), config.smoothing)
        if not math.isfinite(loss.item()):
            raise ValueError(f"the loss is {loss.item()} at step {step} of the encoder; {REMEDY}")
        precision.step(loss, learner, optimizer, GRADIENT_NORM, f"at step {step} of the encoder; {REMEDY}")
        average.update(learner)
        values = {"loss": loss.item(), "learning_rate": rate}
        done = step + 1
        saves = done % save_every == 0 or done == config.steps
        if saves:
            values["accuracy"] = _accuracy(learner, average, photos, held_out, side, config.batch_size, device)
        journal.write(step, **values)
        report(done, config.steps, values)
        if saves:
            state = {"run": identity, "scaler": precision.state()}
            save_checkpoint(out, done, learner, average, optimizer, state)
            journal.plot(CURVES)
    learner.load_state_dict(average.weights)


class _Namer(nn.Module):
    """Pictures (B, 3, S, S) in 0…1 to logits (B, classes)."""

    def __init__(self, encoder: Encoder, classes: int, seed: int) -> None:
        super().__init__()
        # Not the encoder as it is: a student's holds more, which would be averaged and saved as well.
        self.stem, self.grids = encoder.stem, encoder.grids
        self._encode = encoder.encode
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = nn.Linear(encoder.shape.widths[-1], classes)

    def forward(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.head(self._encode(pictures)[-1].mean((2, 3)))
        return logits


def _loss(logits: Tensor, labels: Tensor, others: Tensor, own: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy of logits (N, classes) with labels (N,) by the share `own` (N,), and with `others` by the rest."""
    first, second = (
        functional.cross_entropy(logits, each, label_smoothing=smoothing, reduction="none") for each in (labels, others)
    )
    return (own * first + (1 - own) * second).mean()


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
