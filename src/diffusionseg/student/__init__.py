"""Prediction by a small network in onnxruntime: no generator, and no torch."""

from diffusionseg.student.model import Student

__all__ = ["Student"]
