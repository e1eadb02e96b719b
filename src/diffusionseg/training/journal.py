"""`metrics.jsonl` and `curves.png` of a training run."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection
from pathlib import Path

from diffusionseg.data import append_json_line, atomic_write, whole_file

Report = Callable[[int, int, dict[str, float]], None]
"""Called as report(done steps, all steps, values)."""


class Journal:
    """Appends one JSON object a line to DIR/metrics.jsonl; a resumed run drops lines that it will write again.

    Steps count from 0, so a run of `resume_step` finished steps goes on with the step of that number. A line with a
    value named in `of_checkpoint` tells about the checkpoint after as many steps as it says, and stays.
    """

    def __init__(self, directory: Path, resume_step: int = 0, of_checkpoint: Collection[str] = ()) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "metrics.jsonl"

        def kept(record: dict[str, float]) -> bool:
            stays = not record.keys().isdisjoint(of_checkpoint)
            return record["step"] < resume_step or (stays and record["step"] == resume_step)

        lines = [json.dumps(r) + "\n" for r in self.records() if kept(r)] if resume_step else []
        atomic_write(self.path, "".join(lines).encode())

    def write(self, step: int, **values: float) -> None:
        """Append the values of one step."""
        append_json_line(self.path, {"step": step, **values})

    def records(self) -> list[dict[str, float]]:
        """All lines so far; what is no line of numbers, such as the half one of a killed run, is passed over."""
        if not self.path.exists():
            return []
        records = []
        for line in self.path.read_bytes().splitlines():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(record, dict) and "step" in record and all(type(v) in (int, float) for v in record.values()):
                records.append(record)
        return records

    def plot(self, groups: dict[str, list[str]]) -> None:
        """Write DIR/curves.png with one panel per group: title → names of the values drawn in it."""
        from matplotlib.figure import Figure

        series: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
        for record in self.records():
            for name, value in record.items():
                series[name][0].append(record["step"])
                series[name][1].append(value)
        figure = Figure(figsize=(4.5 * len(groups), 3.2), layout="constrained")
        for axes, (title, names) in zip(figure.subplots(1, len(groups), squeeze=False)[0], groups.items(), strict=True):
            for name in names:
                if name in series:
                    # A line of one point would not be seen.
                    marker = "." if len(series[name][0]) == 1 else ""
                    axes.plot(*series[name], label=name, linewidth=1.2, marker=marker)
            axes.set(title=title, xlabel="step")
            axes.grid(alpha=0.3)
            if axes.lines:
                axes.legend(frameon=False)
        with whole_file(self.path.with_name("curves.png")) as file:
            figure.savefig(file, dpi=110, format="png")
