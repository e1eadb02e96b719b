"""Every benchmark of speed in one go: the numbers are kept, and a table and a picture made of them.

    python benchmarks/speed.py --photos ECSSD/images --out runs/speed

runs `synthesis_speed.py`, `prediction_speed.py`, `attention_cut.py`, `student.py`, `cold_start.py` and
`diffusionseg bench` one after the other, each of which measures its sides in turn: five to fifteen minutes on two
cores, beside which nothing else should run. Their values are kept in `OUT/*.json`; the same command again runs only
what is missing and draws `OUT/speed.md` and `OUT/speed.png` anew.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from records import Table, read_tables

HERE = Path(__file__).parent


def commands(photos: Path, more: bool) -> dict[str, list[str]]:
    """By name of what they measure: scripts with their options."""
    instances = ["--random", "1000", "--real", "200"] if more else ["--random", "40", "--real", "20"]
    return {
        "synthesis": ["synthesis_speed.py", "--rounds", "15"],
        "prediction": ["prediction_speed.py", "--weights", "mini"],
        "cut": ["attention_cut.py", *instances, "--peers", "10", "--no-pymaxflow"],
        "student": ["student.py", "--photos", str(photos), "--rounds", "3"],
        "cold-start": ["cold_start.py", "--photo", str(sorted(photos.glob("*.jpg"))[0])],
    }


def run(name: str, command: Sequence[str]) -> None:
    """Run a script, say how long it took, and end where it fails."""
    print(f"{name}: {' '.join(command)}", flush=True)
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, *command], check=False)
    if done.returncode:
        sys.exit(f"{name} ended with exit status {done.returncode}; the same command goes on there")
    print(f"{name}: {time.perf_counter() - begun:.0f} s", flush=True)


def short(value: float) -> str:
    """Three digits, and all of a whole number's."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def markdown(tables: Sequence[Table], bench: Mapping[str, Any]) -> str:
    """The tables, below a line about the machine and above the steps beside their floors."""
    rate = bench["matrix_rate"] / 1e9
    lines = [
        f"{platform.machine()}, {bench['cores']} cores, {rate:.0f} GFLOP/s in matrix products on one of them "
        f"({bench['dtype']}, {bench['device']}); Python {platform.python_version()}.",
        "",
    ]
    for table in tables:
        lines += [f"**{table.title}**", "", f"| | {table.unit} (least to most) | times {table.first} | aim | |"]
        lines.append("|---|---|---|---|---|")
        for name, values in table.values.items():
            asked = ((table.aims, "times"), (table.limits, table.unit))
            aims = [f"{aim[name]:g} {unit}" for aim, unit in asked if name in aim]
            spread = f"{short(statistics.median(values))} ({short(min(values))} to {short(max(values))})"
            verdict = {None: "", True: "reached", False: "not reached"}[table.reached(name)]
            lines.append(f"| {name} | {spread} | {table.ratio(name):.3g} | {', '.join(aims)} | {verdict} |")
        lines.append("")
    lines += ["**Steps beside their floor (operations at the matrix rate)**", "", "| | ms | floor, ms | times |"]
    lines.append("|---|---|---|---|")
    for step in bench["steps"]:
        floor, seconds = step["floor"], step["seconds"]
        gap = ("", "") if floor is None else (short(1000 * floor), f"{seconds / floor:.2f}")
        lines.append(f"| {step['name']} | {short(1000 * seconds)} | {gap[0]} | {gap[1]} |")
    return "\n".join(lines) + "\n"


def picture(tables: Sequence[Table], path: Path) -> None:
    """Bars from 1, the first side of each table, to the others' ratios, on a logarithmic scale, with aims as ticks."""
    heights = [len(table.values) + 1.5 for table in tables]
    figure = Figure(figsize=(9, 0.24 * sum(heights)), layout="constrained")
    grid = figure.subplots(len(tables), 1, squeeze=False, height_ratios=heights)
    for axes, table in zip(grid[:, 0], tables, strict=True):
        names = list(table.values)
        ratios = [table.ratio(name) for name in names]
        reached = [table.reached(name) for name in names]
        colours = [{None: "#9aa7b5", True: "#3a8f5c", False: "#c4583b"}[found] for found in reached]
        axes.barh(range(len(names)), [ratio - 1 for ratio in ratios], left=1, color=colours, height=0.7)
        first, least = statistics.median(table.values[table.first]), 0.5
        for place, (name, ratio) in enumerate(zip(names, ratios, strict=True)):
            aims = [table.aims[name]] if name in table.aims else []
            aims += [table.limits[name] / first] if name in table.limits else []
            for aim in aims:
                axes.plot([aim, aim], [place - 0.45, place + 0.45], color="black", linewidth=1.5)
            text = f"{short(statistics.median(table.values[name]))} {table.unit}"
            end = max(1, ratio, *aims)
            colour = "black" if reached[place] is None else colours[place]
            axes.annotate(text, (end, place), (4, 0), textcoords="offset points", va="center", fontsize=7, color=colour)
            least = min(least, ratio, *aims)
        axes.axvline(1, color="black", linewidth=0.6)
        axes.set_xscale("log")
        axes.set_xlim(least / 1.2, max(2, *ratios) * 2.5)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_yticks(range(len(names)), names, fontsize=7)
        axes.invert_yaxis()
        axes.tick_params(axis="x", labelsize=7)
        axes.set_title(f"{table.title}, times {table.first}", fontsize=8, loc="left")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of photographs (*.jpg)")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--more", action="store_true", help="1,000 and 200 cuts instead of 40 and 20")
    args = parser.parse_args()
    if not any(args.photos.glob("*.jpg")):
        sys.exit(f"--photos {args.photos}: holds no *.jpg")
    args.out.mkdir(parents=True, exist_ok=True)
    tables = []
    for name, (script, *options) in commands(args.photos, args.more).items():
        kept = args.out / f"{name}.json"
        if not kept.exists():
            # Kept only where the script ends well.
            part = kept.with_suffix(".part")
            run(name, [str(HERE / script), *options, "--json", str(part)])
            part.rename(kept)
        tables += read_tables(kept)
    steps = args.out / "steps.json"
    if not steps.exists():
        command = [sys.executable, "-m", "diffusionseg", "bench", "--json"]
        found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        steps.write_text(found, encoding="utf-8")
    text = markdown(tables, json.loads(steps.read_text(encoding="utf-8")))
    (args.out / "speed.md").write_text(text, encoding="utf-8")
    picture(tables, args.out / "speed.png")
    print(text)


if __name__ == "__main__":
    main()
