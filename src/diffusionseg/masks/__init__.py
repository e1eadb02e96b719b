"""From a low-resolution saliency to full-size masks, boxes and pictures. Arrays in, arrays out; knows no model."""

from diffusionseg.masks.bilateral import BilateralSystem, bilateral_solver, bilateral_system, solve_bilateral
from diffusionseg.masks.bilateral_config import TOKENCUT, BilateralConfig
from diffusionseg.masks.components import Box, fill_holes, largest_component, mask_boxes
from diffusionseg.masks.guided import guided_filter
from diffusionseg.masks.pictures import cutout, mask_picture, overlay, saliency_picture
from diffusionseg.masks.refine import refine, working_copy
from diffusionseg.masks.resample import resize, resize_matrix

__all__ = [
    "TOKENCUT",
    "BilateralConfig",
    "BilateralSystem",
    "Box",
    "bilateral_solver",
    "bilateral_system",
    "cutout",
    "fill_holes",
    "guided_filter",
    "largest_component",
    "mask_boxes",
    "mask_picture",
    "overlay",
    "refine",
    "resize",
    "resize_matrix",
    "saliency_picture",
    "solve_bilateral",
    "working_copy",
]
