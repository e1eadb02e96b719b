"""Settings of synthesis. Every constant is this project's own choice; the paper's are unpublished."""

from __future__ import annotations

from dataclasses import dataclass, field

from diffusionseg.attentioncut import AttentionCutConfig
from diffusionseg.backbone import SOLVERS, Solver
from diffusionseg.synthesis.gate import GateConfig
from diffusionseg.synthesis.prompts import TEMPLATES, check_template


@dataclass(frozen=True)
class SynthesisConfig:
    """How one image–mask pair is made. Part of a synthetic set's identity: two sets differ where any of it differs."""

    steps: int = 24
    """Steps of the solver, 1 to 1000. Few-step distilled models need 1 to 8."""
    solver: Solver = "ddim"
    """"ddim", or "dpm++", DPM-Solver++(2M)."""
    guidance: float = 3.0
    """Classifier-free guidance scale, 1 (none) to 20. At 1 the unconditional half is not computed."""
    negative_prompt: str = ""
    """Prompt of the unconditional half."""
    templates: tuple[str, ...] = TEMPLATES
    """Prompt templates; a sample draws one of them. Fields `{name}` and `{article}`."""
    image_size: int | None = None
    """Side of the square image in pixels; None is the generator's own size."""
    attention_window: tuple[float, float] = (0.33, 1.0)
    """Attention is averaged over the steps in this share of the run, 0 (pure noise) to 1 (clean image)."""
    reread_noises: int = 4
    """Fresh noises under which attention is read once more from the finished image, at each of `reread_timesteps`, with
    the same prompt; 0 to 64. What is left of noise in one run's attention averages out; 0 keeps to the run itself."""
    reread_timesteps: tuple[int, ...] = (350, 550, 750)
    """Timesteps of the training schedule at which the finished image is read, 0 to 999."""
    cross_layers: tuple[str, ...] | None = None
    """Cross-attention layers that are read; None is every layer of 196 to 1024 tokens."""
    self_layers: tuple[str, ...] | None = None
    """Self-attention layers that are read; None is every layer of 196 to 1024 tokens."""
    attempts: int = 6
    """Images tried for one place in the set before the place is left empty, 1 to 100."""
    call_size: int = 1
    """Samples in one U-Net call. Floating-point sums depend on the shape of a call, so this belongs to the set's
    identity, while the number of samples in flight (`batch_size`) does not."""
    cut: AttentionCutConfig = field(default_factory=AttentionCutConfig)
    """AttentionCut."""
    gate: GateConfig = field(default_factory=GateConfig)
    """Quality gate."""

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= 1000:
            raise ValueError(f"--steps must be in 1 … 1000, got {self.steps}")
        if self.solver not in SOLVERS:
            raise ValueError(f"--solver must be one of {', '.join(SOLVERS)}, got {self.solver!r}")
        if not 1 <= self.guidance <= 20:
            raise ValueError(f"--guidance must be in 1 … 20, got {self.guidance}")
        if not self.templates:
            raise ValueError("--template: at least one is needed")
        for template in self.templates:
            check_template(template)
        low, high = self.attention_window
        if not 0 <= low < high <= 1:
            raise ValueError(f"attention_window must be 0 <= start < end <= 1, got {self.attention_window}")
        if not 0 <= self.reread_noises <= 64:
            raise ValueError(f"reread_noises must be in 0 … 64, got {self.reread_noises}")
        if not self.reread_timesteps or not all(0 <= t <= 999 for t in self.reread_timesteps):
            raise ValueError(f"reread_timesteps must be in 0 … 999 and at least one, got {self.reread_timesteps}")
        if not 1 <= self.attempts <= 100:
            raise ValueError(f"--attempts must be in 1 … 100, got {self.attempts}")
        if self.call_size < 1:
            raise ValueError(f"--call-size must be at least 1, got {self.call_size}")
        if self.image_size is not None and self.image_size < 16:
            raise ValueError(f"--image-size must be at least 16, got {self.image_size}")
