"""Reading photographs safely, benchmark folders, and synthetic sets on disk. Knows no model."""

from diffusionseg.data.atomic import atomic_write, errors_of, remove_leftovers, whole_file
from diffusionseg.data.boxes import BoxSet, ImageBoxes, ObjectBox, read_box
from diffusionseg.data.claims import claim_name, claim_path, claimed
from diffusionseg.data.datasets import Dataset, find_masks, open_dataset, read_boxes
from diffusionseg.data.digests import DigestSet, digest
from diffusionseg.data.folder import InputImage, find_images, walk_images
from diffusionseg.data.images import ImageError, read_image
from diffusionseg.data.json_files import append_json_line, json_bytes, read_json_lines, read_json_object
from diffusionseg.data.layouts import Fault, Layout, LayoutError, recognise
from diffusionseg.data.manifest import ManifestMismatch, check_manifest, read_manifest, write_manifest
from diffusionseg.data.output_names import OutputNames, default_output, output_of
from diffusionseg.data.pairs import BenchmarkPair, MaskSet, find_pairs
from diffusionseg.data.parquet import encoded_image, parquet_batches, parquet_rows
from diffusionseg.data.path_list import listed_images
from diffusionseg.data.samples import Sample, ShardError
from diffusionseg.data.shards import (
    AT_ONCE,
    SET_FILES,
    checked_shard,
    finished_shards,
    holds_shards,
    list_shards,
    read_shard,
    read_shards,
    read_sidecar,
    read_sidecars,
    remove_set,
    shard_done,
    shard_name,
    shard_path,
    sidecar_name,
    write_shard,
)
from diffusionseg.data.store import Store
from diffusionseg.data.stored_pairs import StoredPairs
from diffusionseg.data.where import Where, open_store

__all__ = [
    "AT_ONCE",
    "SET_FILES",
    "BenchmarkPair",
    "BoxSet",
    "Dataset",
    "DigestSet",
    "Fault",
    "ImageBoxes",
    "ImageError",
    "InputImage",
    "Layout",
    "LayoutError",
    "ManifestMismatch",
    "MaskSet",
    "ObjectBox",
    "OutputNames",
    "Sample",
    "ShardError",
    "Store",
    "StoredPairs",
    "Where",
    "append_json_line",
    "atomic_write",
    "check_manifest",
    "checked_shard",
    "claim_name",
    "claim_path",
    "claimed",
    "default_output",
    "digest",
    "encoded_image",
    "errors_of",
    "find_images",
    "find_masks",
    "find_pairs",
    "finished_shards",
    "holds_shards",
    "json_bytes",
    "list_shards",
    "listed_images",
    "open_dataset",
    "open_store",
    "output_of",
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
    "read_sidecars",
    "recognise",
    "remove_leftovers",
    "remove_set",
    "shard_done",
    "shard_name",
    "shard_path",
    "sidecar_name",
    "walk_images",
    "whole_file",
    "write_manifest",
    "write_shard",
]
