"""A student small enough to be trained in seconds."""

from diffusionseg.distillation import DistillConfig, NetworkConfig
from diffusionseg.exploitation import AugmentConfig, TrainConfig

SETTINGS = DistillConfig(
    side=32,
    network=NetworkConfig(widths=(8, 16, 16), depths=(1, 1, 1), fusion=8),
    training=TrainConfig(
        steps=90,
        batch_size=8,
        learning_rate=5e-3,
        views=0,
        average_decay=0.9,
        held_out=0.2,
        save_every=30,
        preview_every=45,
        augment=AugmentConfig(scale=(0.9, 1.1), paste=0.0),
    ),
)
