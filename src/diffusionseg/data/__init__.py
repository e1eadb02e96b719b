"""Reading photographs safely, and synthetic sets on disk. Knows no model."""

from diffusionseg.data.atomic import atomic_write
from diffusionseg.data.folder import InputImage, find_images, output_stems
from diffusionseg.data.images import ImageError, read_image
from diffusionseg.data.shards import (
    ManifestMismatch,
    Sample,
    ShardError,
    check_manifest,
    read_manifest,
    read_shards,
    read_sidecar,
    shard_done,
    write_manifest,
    write_shard,
)

__all__ = [
    "ImageError",
    "InputImage",
    "ManifestMismatch",
    "Sample",
    "ShardError",
    "atomic_write",
    "check_manifest",
    "find_images",
    "output_stems",
    "read_image",
    "read_manifest",
    "read_shards",
    "read_sidecar",
    "shard_done",
    "write_manifest",
    "write_shard",
]
