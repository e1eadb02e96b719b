"""Many clients at once: is everybody answered, with the bytes of the command line, in how much memory?

    python benchmarks/serve_load.py --photos ECSSD/images --weights mini

`diffusionseg predict` first writes all pictures of the photographs. Then `diffusionseg serve` runs on a free port, and
each client sends every photograph in turn, each client for another kind of answer: one of the pictures, or JSON. Who is
turned away (503) comes again after the time that the answer tells. Prints a table; exit status 1 where an answer is
missing or differs in a byte (in JSON: in anything but the seconds), or where the server's memory grew by more than a
tenth since the first answers.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from served import Server, served

from diffusionseg.data import find_images

KINDS = ("saliency", "mask", "rgba", "overlay", "json")
WARM = 64
"""Answers after which memory is looked at for the first time."""
GROWTH = 1.1
"""Times as much memory that is allowed at the end."""


@dataclass
class Tally:
    """What all clients together have seen."""

    seconds: list[float] = field(default_factory=list)
    """Of each answer, from the first try on."""
    retried: int = 0
    """Requests that were turned away and sent again."""
    wrong: list[str] = field(default_factory=list)
    """Answers that differ or are missing."""
    early: float = 0.0
    """Memory of the server in MB after `WARM` answers."""
    lock: threading.Lock = field(default_factory=threading.Lock)


def write_wanted(photos: Path, weights: str, out: Path) -> dict[tuple[str, str], bytes]:
    """What the command line writes, by photograph and kind."""
    kinds = [option for kind in KINDS if kind != "json" for option in ("--type", kind)]
    command = ["predict", str(photos), "--weights", weights, "--device", "cpu", "--out", str(out), *kinds]
    subprocess.run([sys.executable, "-m", "diffusionseg", *command], check=True)
    records = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    wanted = {(record["image"], "json"): comparable(record) for record in records}
    for path in photos.iterdir():
        wanted |= {(path.name, k): (out / f"{path.stem}.{k}.png").read_bytes() for k in KINDS if k != "json"}
    return wanted


def comparable(record: dict[str, object]) -> bytes:
    """What a record says of the photograph."""
    return json.dumps([record[name] for name in ("width", "height", "boxes", "scores")]).encode()


def answer(server: Server, content: bytes, kind: str, tally: Tally) -> bytes:
    """The content of an answer, as soon as there is one. Raises RuntimeError for any other status."""
    while True:
        told, found = server.ask(
            "POST", f"/api/predict?type={kind}", content, {"Content-Type": "application/octet-stream"}
        )
        if told.status == 200:
            return comparable(json.loads(found)) if kind == "json" else found
        again = told.getheader("Retry-After")
        if told.status not in (429, 503) or again is None:
            raise RuntimeError(f"{told.status} {found[:200]!r}")
        with tally.lock:
            tally.retried += 1
        time.sleep(float(again))


def client(
    server: Server, number: int, photos: dict[str, bytes], wanted: dict[tuple[str, str], bytes], tally: Tally
) -> None:
    """Send every photograph, beginning at another one than the neighbours."""
    kind, names = KINDS[number % len(KINDS)], sorted(photos)
    for place in range(len(names)):
        name, begun = names[(number + place) % len(names)], time.perf_counter()
        try:
            same = answer(server, photos[name], kind, tally) == wanted[name, kind]
            problem = None if same else "differs"
        except (OSError, RuntimeError) as error:
            problem = str(error) or type(error).__name__
        with tally.lock:
            if problem is None:
                tally.seconds.append(time.perf_counter() - begun)
            else:
                tally.wrong.append(f"{name}, {kind}: {problem}")
            if len(tally.seconds) == WARM and not tally.early:
                tally.early = server.megabytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="Folder of photographs; the first are used.")
    parser.add_argument("--count", type=int, default=20, help="Photographs.")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--weights", default="mini")
    parser.add_argument("--queue", type=int, default=64, help="As of `serve`: fewer than clients turn some away.")
    args = parser.parse_args()
    tally = Tally()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "photos")
        folder.mkdir()
        for number, image in enumerate(find_images([args.photos])[: args.count]):
            shutil.copy(image.path, folder / f"{number:03}{image.path.suffix}")
        photos = {path.name: path.read_bytes() for path in folder.iterdir()}
        wanted = write_wanted(folder, args.weights, Path(name, "wanted"))
    with served("--weights", args.weights, "--device", "cpu", "--queue", str(args.queue)) as server:
        begun = time.perf_counter()
        with ThreadPoolExecutor(args.clients) as pool:
            list(pool.map(lambda number: client(server, number, photos, wanted, tally), range(args.clients)))
        seconds, late = time.perf_counter() - begun, server.megabytes
    early, asked = tally.early or late, args.clients * len(photos)
    rows = (
        ("answered as the command line does", f"{len(tally.seconds)} of {asked}"),
        ("turned away and tried again", f"{tally.retried}"),
        ("photographs a second", f"{len(tally.seconds) / seconds:.2f}"),
        ("seconds to an answer, median and 95 %", _spread(tally.seconds)),
        (f"memory after {WARM} answers and at the end, MB", f"{early:.0f}, {late:.0f}: {late / early:.3f} times"),
    )
    print(f"{args.weights}, {args.clients} clients, {len(photos)} photographs each, queue of {args.queue}")
    print("\n".join(f"| {what} | {value} |" for what, value in rows))
    print("\n".join(tally.wrong[:20]))
    sys.exit(0 if len(tally.seconds) == asked and late <= GROWTH * early else 1)


def _spread(seconds: list[float]) -> str:
    if len(seconds) < 2:
        return "none"
    return f"{statistics.median(seconds):.2f}, {statistics.quantiles(seconds, n=20)[-1]:.2f}"


if __name__ == "__main__":
    main()
