"""Train a small generator in the Stable Diffusion layout from captioned photographs, without any mask or box."""
