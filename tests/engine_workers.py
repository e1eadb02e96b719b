"""Workers that tests of the engines send to other processes; a unit is a tuple that says what happens."""

import os
import signal
import time
from pathlib import Path

from diffusionseg.engine import Busy


class Odd(Exception):
    """An error that cannot be sent to another process."""

    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


def obedient(folder, share):
    """A worker that does what its units say, and notes in `folder` what it has begun."""
    folder = Path(folder)

    def first_time(name):
        try:
            (folder / name).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def worker(unit):
        what, number = unit
        with (folder / "begun").open("a") as file:
            file.write(f"{what} {number}\n")
        share.tell(number)
        if what == "die" or (what == "die once" and first_time(f"died-{number}")):
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "raise":
            raise ValueError(f"cannot do {number}")
        if what == "raise odd":
            raise Odd(1, number)
        if what == "busy once" and first_time(f"busy-{number}"):
            raise Busy
        if what == "sleep":
            try:
                (folder / "half").touch()
                share.tell("asleep")
                time.sleep(60)
            finally:
                (folder / "half").unlink()
        if what == "nap":
            time.sleep(0.5)
        if what == "share":
            return share.number, share.workers, share.cores, os.environ.get("OMP_NUM_THREADS")
        return number * number

    return worker


def unmakeable(share):
    """No worker comes of it."""
    raise ValueError("no such model")


def stillborn(share):
    """Kills the process that it is made in."""
    os.kill(os.getpid(), signal.SIGKILL)
