"""Find the main object in any photograph without any human label, by the method of DiffusionSeg."""

__version__ = "0.1.0"
