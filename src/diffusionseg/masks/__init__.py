"""From a low-resolution saliency to full-size masks, boxes and pictures. Arrays in, arrays out; knows no model."""

from diffusionseg.masks.bilateral import BilateralConfig, bilateral_solver
from diffusionseg.masks.components import Box, fill_holes, largest_component, mask_boxes
from diffusionseg.masks.guided import guided_filter
from diffusionseg.masks.pictures import cutout, mask_picture, overlay, saliency_picture
from diffusionseg.masks.refine import refine
from diffusionseg.masks.resample import resize, resize_matrix

__all__ = [
    "BilateralConfig",
    "Box",
    "bilateral_solver",
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
]
