"""Thousands of requests that nobody would send: is each answered, and as /api/openapi.json says?

    python benchmarks/serve_fuzz.py --weights student --calls 2000

Starts `diffusionseg serve` on a free port. Schemathesis makes requests of the description of the API, as many that it
allows as such that it forbids; half of the photographs among them are real ones or such with some bytes changed, and
half of the names of sets are those of sets that the server was asked for. Then come requests that were made to do harm,
which must all be refused with a reason. Prints how many answers had which status; exit status 1 where one is 5xx, was
not described, has not the form that was described, or does not come in three minutes.
"""

from __future__ import annotations

import argparse
import io
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from PIL import Image
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from serve_attacks import check_attacks
from served import TIMEOUT, Server, served

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ROUND = 40
"""Requests of one operation and mode in turn, fewer where few are wanted."""


def photographs() -> SearchStrategy[bytes]:
    """Small photographs in several formats, whole or with some bytes changed, and bytes that are none."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 56, 3), np.uint8))
    whole = []
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"):
        buffer = io.BytesIO()
        noise.save(buffer, kind)
        whole.append(buffer.getvalue())

    def changed(content: bytes, places: list[tuple[float, int]]) -> bytes:
        changing = bytearray(content)
        for place, value in places:
            changing[int(place * (len(changing) - 1))] = value
        return bytes(changing)

    places = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=4)
    cut = st.tuples(st.sampled_from(whole), st.floats(0, 1)).map(lambda one: one[0][: int(one[1] * len(one[0]))])
    return st.one_of(st.builds(changed, st.sampled_from(whole), places), cut, st.binary(max_size=300))


class Caller:
    """Sends requests, and keeps what became of them."""

    def __init__(self, server: Server, calls: int, chance: random.Random) -> None:
        self.server, self.left, self._chance = server, calls, chance
        self._sets: list[str] = []
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.wrong: list[str] = []
        self.slowest = 0.0

    def call(self, case: Any) -> None:
        """Send one request, as long as any are wanted."""
        if not self.left:
            return
        self.left -= 1
        self._meant(case)
        name, begun = f"{case.method} {case.path}", time.perf_counter()
        try:
            answer = case.call(base_url=self.server.url, timeout=TIMEOUT)
        except Exception as error:
            self.statuses[name, 0] += 1
            self.wrong.append(f"{name}: no answer: {error!r}")
            return
        self.slowest = max(self.slowest, time.perf_counter() - begun)
        self.statuses[name, answer.status_code] += 1
        if answer.status_code == 202:
            self._sets = [*self._sets, answer.json()["id"]][-8:]
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as group:
            self.wrong += [f"{name}: {answer.status_code}: {str(one)[:300]}" for one in group.exceptions]

    def _meant(self, case: Any) -> None:
        """Half of the requests are about sets that there are, or ask for one that is soon made."""
        if self._chance.random() < 0.5:
            return
        if self._sets and "id" in (case.path_parameters or {}):
            case.path_parameters["id"] = self._chance.choice(self._sets)
        if isinstance(case.body, dict) and "classes" in case.body:
            case.body |= {"classes": ["sunflower"], "count": 1, "steps": 1, "attempts": 1}
            case.body.pop("model", None)


def fuzz(caller: Caller) -> None:
    """Send requests of every operation in turn until there were enough."""
    schemathesis.openapi.format("binary", photographs())
    schema = schemathesis.openapi.from_url(f"{caller.server.url}/api/openapi.json")
    operations = [operation.ok() for operation in schema.get_all_operations()]
    turn, most = 0, max(1, min(ROUND, caller.left // (3 * len(operations))))
    while caller.left:
        for operation in operations:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                turn += 1
                # Where nothing can be asked in a wrong way, there is nothing to send.
                with suppress(Unsatisfiable):
                    _runner(caller, operation.as_strategy(generation_mode=mode), turn, most)()


def _runner(caller: Caller, cases: SearchStrategy[Any], turn: int, most: int) -> Callable[[], None]:
    @seed(turn)
    @settings(
        max_examples=most,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases)
    def run(case: Any) -> None:
        caller.call(case)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="student")
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with served("--weights", args.weights, "--device", "cpu", "--max-count", "2") as server:
        caller = Caller(server, args.calls, random.Random(args.seed))
        begun = time.perf_counter()
        fuzz(caller)
        seconds = time.perf_counter() - begun
        attacked = check_attacks(server)
        alive = server.ask("GET", "/api/health")[0].status == 200
    print(
        f"{args.weights}: {sum(caller.statuses.values())} calls in {seconds:.0f} s, the slowest {caller.slowest:.1f} s"
    )
    addresses = sorted({name for name, _ in caller.statuses})
    for name in addresses:
        found = sorted((status, n) for (other, status), n in caller.statuses.items() if other == name)
        print(f"| {name} | {', '.join(f'{status}: {n}' for status, n in found)} |")
    wrong = [*caller.wrong, *attacked.wrong]
    print(f"{len(attacked.refused)} attacks refused with a reason: {', '.join(attacked.refused)}")
    print(f"{len(wrong)} answers were wrong; the server is {'well' if alive else 'gone'}")
    print("\n".join(wrong[:20]))
    sys.exit(1 if wrong or not alive else 0)


if __name__ == "__main__":
    main()
