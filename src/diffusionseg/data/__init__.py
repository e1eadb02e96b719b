"""Reading photographs safely, benchmark folders, and synthetic sets on disk. Knows no model."""

from diffusionseg.data.atomic import atomic_write, remove_leftovers
from diffusionseg.data.boxes import BoxSet, ImageBoxes, ObjectBox, read_box
from diffusionseg.data.claims import claim_path, claimed
from diffusionseg.data.datasets import Dataset, find_masks, open_dataset, read_boxes
from diffusionseg.data.folder import InputImage, find_images, output_stems
from diffusionseg.data.images import ImageError, read_image
from diffusionseg.data.json_files import json_bytes, read_json_lines, read_json_object
from diffusionseg.data.layouts import Fault, Layout, LayoutError, recognise
from diffusionseg.data.manifest import ManifestMismatch, check_manifest, read_manifest, write_manifest
from diffusionseg.data.pairs import BenchmarkPair, MaskSet, find_pairs
from diffusionseg.data.parquet import encoded_image, parquet_batches, parquet_rows
from diffusionseg.data.samples import Sample, ShardError
from diffusionseg.data.shards import (
    StoredPairs,
    list_shards,
    read_shard,
    read_shards,
    read_sidecar,
    shard_done,
    shard_path,
    write_shard,
)

__all__ = [
    "BenchmarkPair",
    "BoxSet",
    "Dataset",
    "Fault",
    "ImageBoxes",
    "ImageError",
    "InputImage",
    "Layout",
    "LayoutError",
    "ManifestMismatch",
    "MaskSet",
    "ObjectBox",
    "Sample",
    "ShardError",
    "StoredPairs",
    "atomic_write",
    "check_manifest",
    "claim_path",
    "claimed",
    "encoded_image",
    "find_images",
    "find_masks",
    "find_pairs",
    "json_bytes",
    "list_shards",
    "open_dataset",
    "output_stems",
    "parquet_batches",
    "parquet_rows",
    "read_box",
    "read_boxes",
    "read_image",
    "read_json_lines",
    "read_json_object",
    "read_manifest",
    "read_shard",
    "read_shards",
    "read_sidecar",
    "recognise",
    "remove_leftovers",
    "shard_done",
    "shard_path",
    "write_manifest",
    "write_shard",
]
