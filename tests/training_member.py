"""One of several processes that train a decoder together: `python training_member.py FOLDER DIE_AFTER`."""

import os
import sys
from pathlib import Path

import numpy as np
import torch

from diffusionseg.backbone.random_models import tiny_backbone
from diffusionseg.exploitation import AugmentConfig, DecoderConfig, FeatureConfig, TrainConfig, train


def pair(seed, side=64):
    """A disc and its mask, of which a random part is ignored."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    disc = np.hypot(y - rng.integers(20, 44), x - rng.integers(20, 44)) < rng.integers(8, 20)
    image = np.where(disc[..., None], rng.integers(150, 255, 3), rng.integers(0, 70, 3)).astype(np.uint8)
    mask = np.where(disc, 255, 0).astype(np.uint8)
    mask[: rng.integers(1, 40)] = 128
    return image, mask


def main():
    folder, die_after = sys.argv[1], int(sys.argv[2])

    def report(done, total, values):
        if done == die_after:
            os._exit(9)

    torch.set_num_threads(1)
    config = TrainConfig(
        steps=8, batch_size=5, views=2, save_every=4, preview_every=4, augment=AugmentConfig(paste=0.5)
    )
    train(
        tiny_backbone("sd1"),
        [pair(seed) for seed in range(9)],
        Path(folder),
        feature_config=FeatureConfig(timesteps=(50,)),
        decoder_config=DecoderConfig(width=16, dropout=0.0),
        train_config=config,
        report=report,
    )


if __name__ == "__main__":
    main()
