"""From a low-resolution saliency to full-size masks, boxes and pictures. Arrays in, arrays out; knows no model."""

from diffusionseg.masks.bilateral import BilateralSystem, bilateral_solver, bilateral_system, solve_bilateral
from diffusionseg.masks.bilateral_config import TOKENCUT, BilateralConfig
from diffusionseg.masks.brush_rle import decode_brush, encode_brush
from diffusionseg.masks.coco_rle import compressed, counts_from, decode_rle, encode_rle, mask_from_counts, rle_counts
from diffusionseg.masks.components import EIGHT, Box, fill_holes, largest_component, mask_boxes
from diffusionseg.masks.guided import fast_guided_filter, guided_filter
from diffusionseg.masks.outlines import Polygon, centre_polygons, corner_polygons
from diffusionseg.masks.pictures import cutout, mask_picture, overlay, saliency_picture
from diffusionseg.masks.refine import refine, working_copy
from diffusionseg.masks.resample import resize, resize_matrix

__all__ = [
    "EIGHT",
    "TOKENCUT",
    "BilateralConfig",
    "BilateralSystem",
    "Box",
    "Polygon",
    "bilateral_solver",
    "bilateral_system",
    "centre_polygons",
    "compressed",
    "corner_polygons",
    "counts_from",
    "cutout",
    "decode_brush",
    "decode_rle",
    "encode_brush",
    "encode_rle",
    "fast_guided_filter",
    "fill_holes",
    "guided_filter",
    "largest_component",
    "mask_boxes",
    "mask_from_counts",
    "mask_picture",
    "overlay",
    "refine",
    "resize",
    "resize_matrix",
    "rle_counts",
    "saliency_picture",
    "solve_bilateral",
    "working_copy",
]
