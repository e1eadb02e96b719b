"""Self-training: photographs without annotation, labelled by a decoder and a colour cut, as further pairs."""

from diffusionseg.pseudolabels.config import PseudolabelConfig
from diffusionseg.pseudolabels.run import PseudolabelSummary, pseudolabel

__all__ = ["PseudolabelConfig", "PseudolabelSummary", "pseudolabel"]
