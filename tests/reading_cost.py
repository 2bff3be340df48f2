"""What reading one film costs: python tests/reading_cost.py FILE prints it as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Cost:
    """What came of reading a film, `film` or the problem; CPU time in seconds; the process's peak memory in bytes."""

    outcome: str
    seconds: float
    memory: int


def memory(kind: str) -> int:
    """Return the memory of this process in bytes: `VmHWM` is the most it has had, `VmRSS` what it has now."""
    # Not ru_maxrss, which begins with what the process that started this one took.
    (size,) = (int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith(f"{kind}:"))
    return size * 1024


def reading_cost(film: Path) -> Cost:
    """Read a film in a process of its own."""
    done = subprocess.run([sys.executable, __file__, film], capture_output=True, text=True, check=True)
    return Cost(**json.loads(done.stdout))


def main() -> None:
    from pneumo_infer.errors import ImageError
    from pneumo_infer.films.preprocess import read_network_input

    start = time.process_time()
    try:
        read_network_input(sys.argv[1])
        outcome = "film"
    except ImageError as error:
        outcome = error.problem
    print(json.dumps(asdict(Cost(outcome, time.process_time() - start, memory("VmHWM")))))


if __name__ == "__main__":
    main()
