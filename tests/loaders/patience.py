"""What a spoilt file may not do: keep the program busy for ever."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from immunosarc.loaders import _hdf5_walk

_SERVE = """
import importlib.util, signal, sys
spec = importlib.util.spec_from_file_location("walk", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
for line in sys.stdin:
    signal.setitimer(signal.ITIMER_VIRTUAL, float(sys.argv[2]))  # its signal ends the process, C code or not
    module.walk(line.rstrip("\\n"))
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    print("came back", flush=True)
"""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail when the block takes more seconds of this processor's time, which other jobs cannot lengthen."""

    def give_up(_signal: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"no answer within {seconds:g} s")

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


class Walker:
    """The guard of h5ad files with one process for many of them; a new one after it hung or crashed.

    A file is given up after ``seconds`` of processor time; a good one takes milliseconds.
    The program itself starts a process for each file, which would be most of the time of a long run.
    """

    def __init__(self, seconds: float = 1.0) -> None:
        self.seconds, self.lost = seconds, 0
        self.process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-I", "-c", _SERVE, _hdf5_walk.__file__, f"{self.seconds}"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(command, text=True, **pipes)

    def close(self) -> int:
        self.process.kill()
        self.process.communicate()
        return self.process.returncode

    def fault(self, path: Path) -> str | None:
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        if self.process.stdout.readline():
            return None
        self.process.wait()
        hung = self.close() == -signal.SIGVTALRM
        self.process, self.lost = self._start(), self.lost + 1
        return f"the HDF5 library {'did not come back from' if hung else 'crashed in'} it"
