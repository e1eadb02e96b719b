"""All accumulators of an evaluation over some images, and an evaluation's images shared out to workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from diffusionseg.engine import LOCAL, Engine, Failure, Share, Worker, check_engine, run_units
from diffusionseg.evaluation.curve_means import CurveMeans
from diffusionseg.evaluation.intervals import Bootstrap
from diffusionseg.evaluation.measures import MeasureAccumulator, Values
from diffusionseg.evaluation.pairs import MaskPair, read_ground_truth, read_prediction, resized_as_levels
from diffusionseg.evaluation.protocols import SaliencyProtocol
from diffusionseg.evaluation.records import Unpooled, unpooled
from diffusionseg.evaluation.saliency import SaliencyAccumulator, image_scores, pooled_f

MEASURES = "measures"
"""What stands before the names of further measures in the bootstrap, as a protocol's name before its own."""
SHARES = 4
"""Parts that each worker gets: few enough to merge quickly, enough to keep all busy to the end."""
WORKERS = 16
"""Workers that the parts are made for where their number is not known."""


@dataclass(frozen=True)
class Wanted:
    """What is to be measured."""

    protocols: tuple[SaliencyProtocol, ...]
    """Each once, at least one."""
    measures: tuple[str, ...] = ()
    """Families of further measures."""
    replicates: int = 0
    """Replicates of the bootstrap; 0 for no intervals."""
    seed: int = 0
    """Seed of the bootstrap."""
    records: bool = False
    """Whether to keep what is told of every image."""
    curves: bool = False
    """Whether to keep the mean curves of the first protocol."""
    undecided: str | None = None
    """What undecided pixels of the ground truth count as, one of CHOICES; None refuses masks that have any."""


@dataclass
class Part:
    """What is known after some images. Parts merge exactly."""

    wanted: Wanted
    resized: int = 0
    """Predictions that had another size than their ground truth."""
    records: list[Unpooled] = field(default_factory=list)

    curves: CurveMeans = field(default_factory=CurveMeans)

    def __post_init__(self) -> None:
        self.accumulators = [SaliencyAccumulator(protocol) for protocol in self.wanted.protocols]
        self.measures = MeasureAccumulator(self.wanted.measures)
        self.bootstrap = Bootstrap(self.wanted.replicates, self.wanted.seed) if self.wanted.replicates else None

    def update(self, pair: MaskPair) -> None:
        """Add one image. Raises ImageError naming a file that cannot be read."""
        truth = read_ground_truth(pair.mask, self.wanted.undecided)
        prediction, was_resized = read_prediction(pair.prediction, truth.shape)
        self.resized += was_resized
        sampled: Values = {}
        for number, accumulator in enumerate(self.accumulators):
            protocol, seen = accumulator.protocol, prediction
            if was_resized and protocol.resize_levels and pair.prediction is not None:
                seen = resized_as_levels(pair.prediction, truth.shape)
            scores = image_scores(seen, truth, protocol)
            accumulator.add(scores)
            sampled[f"{protocol.name} acc"] = scores.accuracy
            sampled[f"{protocol.name} iou"] = scores.iou
            sampled[f"{protocol.name} max_f"] = pooled_f(scores, protocol)
            if self.wanted.records and number == 0:
                self.records.append(unpooled(pair.stem, scores, seen, truth, protocol))
            if self.wanted.curves and number == 0:
                self.curves.add(scores)
        values = self.measures.update(prediction, truth)
        if self.bootstrap is not None:
            # The maximum of the mean precision or recall says nothing.
            further = {f"{MEASURES} {n}": v for n, v in values.items() if n not in ("precision", "recall")}
            self.bootstrap.update(pair.stem, sampled | further)

    def merge(self, other: Part) -> None:
        """Add what another part of the same evaluation has seen."""
        for mine, theirs in zip(self.accumulators, other.accumulators, strict=True):
            mine.merge(theirs)
        self.measures.merge(other.measures)
        self.curves.merge(other.curves)
        if self.bootstrap is not None and other.bootstrap is not None:
            self.bootstrap.merge(other.bootstrap)
        self.records += other.records
        self.resized += other.resized


def evaluate_pairs(
    pairs: Sequence[MaskPair],
    wanted: Wanted,
    engine: Engine = LOCAL,
    report: Callable[[int, int], None] = lambda *_: None,
) -> Part:
    """Everything wanted of all images; the result is the same bit for bit whatever the engine.

    `report` is called with images done and in all. Raises what reading an image raises.
    """
    check_engine(engine)
    if engine.kind == "ray":
        # Its workers stand in another folder.
        pairs = [replace(p, mask=p.mask.absolute(), prediction=_absolute(p.prediction)) for p in pairs]
    if engine.workers is not None and pairs:
        engine = replace(engine, workers=min(engine.workers, len(pairs)))
    number = 1 if engine.kind == "local" else min(len(pairs), SHARES * (engine.workers or WORKERS))
    shares = [tuple(pairs[start::number]) for start in range(number)]
    whole, done = Part(wanted), set[str]()

    def heard(stem: str) -> None:
        # A share whose worker was lost is told of once more.
        done.add(stem)
        report(len(done), len(pairs))

    with closing(run_units(engine, partial(_worker, wanted), shares, heard=heard)) as parts:
        for _, part in parts:
            if isinstance(part, Failure):
                raise part.error
            whole.merge(part)
    whole.records.sort(key=lambda record: record.stem)
    return whole


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()


def _worker(wanted: Wanted, share: Share) -> Worker:
    def worker(pairs: Sequence[MaskPair]) -> Part:
        part = Part(wanted)
        for pair in pairs:
            part.update(pair)
            share.tell(pair.stem)
        return part

    return worker
