"""The whole method at a glance: synthesis, a short training, real photographs, and one self-contained page."""

from diffusionseg.demo.run import DemoConfig, photographs, run_demo

__all__ = ["DemoConfig", "photographs", "run_demo"]
