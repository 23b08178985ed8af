"""Runs `ns` over a corpus of hostile files, and judges each end by what the corpus's manifest says a correct program does with it.

    python tests/hostile/corpus.py CORPUS [--command track|predict] [--only GLOB] [--cold] [--jobs N] [--json FILE]

Every case runs in a process of its own, forked from one that has its imports behind it: a run over 341 files then takes minutes, not tens
of them. With --cold each is a fresh interpreter, as a user starts it. What a case may take (wall time, memory) is measured on that process.
Outputs go to a fresh folder for each case, which is also its working directory, so that whatever a file makes the program write is seen.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import numpy as np

LONGEST_S, LARGEST_MB = 10.0, 800.0
"""What any file below 2 MB may take."""
HANG_S = 20.0
"""A process that runs longer is killed and counts as hanging."""
LARGEST_ERROR_PX = 0.5
"""Root mean square distance of a track from the drawn centres, where the picture is easy."""
LARGEST_CONTENT_ERROR_PX = 1.5
"""The same where the picture itself is difficult (blur, shade, an object behind another)."""
LARGEST_G_ERROR = 0.01
"""Of a throw that was drawn under a known gravity."""
SAME_TIME_S = 2e-3
"""Containers round time stamps to a millisecond, twice in the worst case."""
FEWEST_MATCHED = 1 / 3
"""Share of the visible samples that a track must hold to be the ball's: one that leaves the picture and comes back may be two tracks."""
STEADIED = "the camera moves"
"""Begins the warning that coordinates are those of the first frame."""
ERRORS = (2, 3, 4, 6)
ROOT = Path(__file__).resolve().parents[2]
COLD = "import sys; from newtonscheme.cli import main; sys.exit(main())"
GOOD = "t,x,y\n" + "".join(f"{i / 30:.4f},{20 + 190 * i / 30:.3f},{220 - 560 * i / 30 + 392.4 * (i / 30) ** 2:.3f}\n" for i in range(42))
"""A throw as a table: what weights and configurations are tried on, so that only they decide how the run ends."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How one run ended."""

    exit: int
    signal: int
    hung: bool
    wall_s: float
    cpu_s: float
    peak_mb: float
    stderr: str
    written: tuple[str, ...]
    report: dict[str, Any] | None


def read_manifest(corpus: Path) -> list[dict[str, Any]]:
    """The cases that could be drawn."""
    rows = json.loads((corpus / "manifest.json").read_text())["cases"]
    return [row for row in rows if "skipped" not in row]


def arguments(row: Mapping[str, Any], corpus: Path, command: str) -> list[str]:
    """The command line that gives the case's file to the program."""
    file = str(corpus.resolve() / row["path"])
    if row["kind"] == "video":
        return ["track", "--out", "track.csv", "--", file] if command == "track" else ["predict", "--json", "report.json", "--quiet", "--", file]
    told = ["predict", "--json", "report.json", "--quiet", "--units", "px"]
    if row["kind"] == "track":
        return [*told, "--track", file]
    return [*told, "--track", "good.csv", {"model": "--weights", "config": "--config", "onnx": "--detector"}[row["kind"]], file]


def run_case(row: Mapping[str, Any], corpus: Path, command: str, *, cold: bool = False) -> Ending:
    """One run in a forked process, or in a fresh interpreter."""
    folder = Path(tempfile.mkdtemp(prefix="ns_hostile_"))
    try:
        if row["kind"] not in ("video", "track"):
            (folder / "good.csv").write_text(GOOD)
        before = {entry.name for entry in folder.iterdir()}
        begun = time.monotonic()
        child = os.fork()
        if child == 0:
            _become(arguments(row, corpus, command), folder, cold=cold)
        status, usage, hung = _wait(child, begun)
        wall = time.monotonic() - begun
        report = folder / "report.json"
        return Ending(
            exit=os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else -1,
            signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
            hung=hung,
            wall_s=wall,
            cpu_s=usage.ru_utime + usage.ru_stime,
            peak_mb=usage.ru_maxrss / 1024,
            stderr=(folder / "stderr").read_text(errors="replace"),
            written=tuple(sorted({entry.name for entry in folder.iterdir()} - before - {"stderr", "stdout"})),
            report=_read_result(folder, report),
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def judge(row: Mapping[str, Any], ending: Ending, corpus: Path) -> list[str]:
    """What is wrong with how a run ended; nothing where it is as the manifest expects."""
    faults = _judge_manners(ending)
    if faults:
        return faults
    expected = _expectation(row, ending)
    warned = "ns: warning" in ending.stderr or bool(ending.report and ending.report.get("warnings"))
    if expected == "error" and ending.exit not in ERRORS:
        return [f"ended with {ending.exit}, needed an error"]
    if expected == "refuse" and "parameters" in (ending.report or {}) and ending.exit == 0:
        return ["forecast a motion that is none of the known patterns"]
    if expected == "warn" and ending.exit == 0 and not warned:
        return ["said nothing of what is doubtful"]
    if expected == "correct":
        if ending.exit not in (0,):
            told = (ending.report or {}).get("refusal") or {}
            return [f"ended with {ending.exit}, needed an answer: {ending.stderr.strip()[:200]}{told.get('message', '')[:200]}"]
        return _judge_path(row, ending, corpus)
    return []


def _expectation(row: Mapping[str, Any], ending: Ending) -> str:
    # A file without permissions is readable to root.
    readable = row["path"].endswith("no_permission.mp4") and os.geteuid() == 0
    # Only `ns predict` knows patterns: to `ns track` a bounce is a path like any other.
    patternless = row["group"] == "motion" and row["expect"] == "warn" and "track.csv" in ending.written
    return "safe" if readable or patternless else str(row["expect"])


def _judge_manners(ending: Ending) -> list[str]:
    """What holds of every end."""
    lines = [line for line in ending.stderr.splitlines() if line.startswith("ns: error:")]
    others = [line for line in ending.stderr.splitlines() if not line.startswith(("ns: error:", "ns: warning:"))]
    faults = []
    if ending.hung:
        faults.append(f"hung: killed after {HANG_S:g} s")
    elif ending.signal:
        faults.append(f"died of signal {ending.signal}")
    elif ending.exit not in (0, 5, *ERRORS):
        faults.append(f"ended with {ending.exit}: {ending.stderr.strip()[-300:]}")
    elif (len(lines) == 1) != (ending.exit in ERRORS):
        faults.append(f"{len(lines)} error lines with exit code {ending.exit}")
    if others and not faults:
        faults.append(f"talked on standard error: {others[0][:120]}")
    if ending.wall_s > LONGEST_S:
        faults.append(f"took {ending.wall_s:.1f} s, {ending.cpu_s:.1f} s of them at work")
    if ending.peak_mb > LARGEST_MB:
        faults.append(f"took {ending.peak_mb:.0f} MB")
    allowed = {"track.csv", "report.json"} if ending.exit in (0, 5) else set()
    if set(ending.written) - allowed:
        faults.append(f"left behind {sorted(set(ending.written) - allowed)}")
    return faults


def _judge_path(row: Mapping[str, Any], ending: Ending, corpus: Path) -> list[str]:
    """Whether the track is the drawn ball's."""
    if "truth_csv" not in row or ending.report is None:
        return []
    truth = np.genfromtxt(corpus / row["truth_csv"], delimiter=",", skip_header=1)
    seen = truth[np.isfinite(truth[:, 2])]
    t, path = np.array(ending.report["track"]["t_s"]), np.column_stack([ending.report["track"]["u_px"], ending.report["track"]["v_px"]])
    nearest = np.argmin(np.abs(seen[:, 1][None, :] - t[:, None]), axis=1)
    same = np.abs(seen[nearest, 1] - t) < SAME_TIME_S
    matched = len(np.unique(nearest[same])) / len(seen)
    if matched < FEWEST_MATCHED:
        return [f"the track holds {100 * matched:.0f} % of the ball's samples"]
    apart = path[same] - seen[nearest[same], 2:]
    if STEADIED in ending.stderr or "camera_steadied" in _warning_codes(ending):
        apart = _apart_from_throw(t[same], path[same], row["truth"]["g_px"])
    rms = float(np.sqrt(np.mean(np.sum(apart**2, axis=1))))
    limit = LARGEST_CONTENT_ERROR_PX if row["group"] == "content" else LARGEST_ERROR_PX
    if rms > limit:
        return [f"{rms:.2f} px rms from the drawn centres"]
    return _judge_gravity(row, t[same], path[same])


def _judge_gravity(row: Mapping[str, Any], t: Any, path: Any) -> list[str]:
    """Whether a throw falls as it was drawn to: what a wrong clock or a wrong shape of the pixels would change."""
    if row["truth"].get("pattern") != "projectile":
        return []
    share = abs(2.0 * float(np.polyfit(t, path[:, 1], 2)[0]) / row["truth"]["g_px"] - 1.0)
    return [f"g is {100 * share:.1f} % off"] if share > LARGEST_G_ERROR else []


def _warning_codes(ending: Ending) -> list[str]:
    return [notice["code"] for notice in (ending.report or {}).get("warnings") or ()]


def _apart_from_throw(t: Any, path: Any, g_px: float) -> Any:
    """How far a path is from a throw under the scene's gravity: all that a path without the camera's motion can be held to.

    The truth's centres hold that motion, which nobody tells. Without it and without gravity what is left must be straight and even in time.
    """
    straight = path - 0.5 * g_px * np.column_stack([np.zeros_like(t), t**2])
    line = np.column_stack([np.ones_like(t), t])
    return straight - line @ np.linalg.lstsq(line, straight, rcond=None)[0]


def _become(words: Sequence[str], folder: Path, *, cold: bool) -> None:
    """The child: the command line in the case's folder. Never returns."""
    code = 1
    try:
        os.chdir(folder)
        os.setsid()
        for name, number in (("stdout", 1), ("stderr", 2)):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        if cold:
            os.execve(sys.executable, [sys.executable, "-P", "-c", COLD, *words], os.environ | {"PYTHONPATH": str(ROOT)})
        from newtonscheme.cli import main

        code = main(words)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _wait(child: int, begun: float) -> tuple[int, resource.struct_rusage, bool]:
    hung = False
    while True:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            return status, usage, hung
        if time.monotonic() - begun > HANG_S and not hung:
            hung = True
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.005)


def _read_result(folder: Path, report: Path) -> dict[str, Any] | None:
    """The report as strict JSON; of `ns track` its table in the same shape."""
    if report.exists():
        return dict(json.loads(report.read_text(), parse_constant=_refuse_constant))
    table = folder / "track.csv"
    if not table.exists():
        return None
    rows = np.atleast_2d(np.genfromtxt(table, delimiter=",", skip_header=1))
    return {"track": {"t_s": rows[:, 1].tolist(), "u_px": rows[:, 2].tolist(), "v_px": rows[:, 3].tolist()}}


def _refuse_constant(name: str) -> float:
    raise ValueError(f"found {name} in a report, which is no JSON")


def run_corpus(corpus: Path, command: str, only: str = "*", jobs: int = 1, *, cold: bool = False) -> list[dict[str, Any]]:
    """Every case's end and faults, in the manifest's order."""
    rows = [row for row in read_manifest(corpus) if fnmatch.fnmatch(row["path"], only)]

    def work(row: dict[str, Any]) -> dict[str, Any]:
        ending = run_case(row, corpus, command, cold=cold)
        told = {name: value for name, value in asdict(ending).items() if name != "report"}
        report = ending.report or {}
        warnings = _warning_codes(ending)
        found = {name: report.get(name) for name in ("status", "refusal", "parameters")} | {"warnings": warnings}
        return {**row, **told, **found, "faults": judge(row, ending, corpus)}

    with ThreadPool(jobs) as pool:
        return pool.map(work, rows, chunksize=1)


def tell(results: Sequence[Mapping[str, Any]]) -> str:
    """The counts by class, and each fault."""
    lines = []
    for expected in ("correct", "warn", "refuse", "error", "safe"):
        cases = [row for row in results if row["expect"] == expected]
        ends = Counter(row["exit"] for row in cases)
        told = ", ".join(f"exit {code}: {count}" for code, count in sorted(ends.items()))
        lines.append(f"{expected:8} {sum(not row['faults'] for row in cases):3} of {len(cases):3} as expected ({told})")
    lines.append(f"all      {sum(not row['faults'] for row in results):3} of {len(results):3} as expected")
    if results:
        slowest, largest = max(results, key=lambda row: row["wall_s"]), max(results, key=lambda row: row["peak_mb"])
        lines.append(f"slowest {slowest['wall_s']:.1f} s, {slowest['cpu_s']:.1f} s of them at work ({slowest['path']!a})")
        lines.append(f"largest {largest['peak_mb']:.0f} MB ({largest['path']!a})")
    lines += [f"FAULT {row['path']!a} [{row['expect']}]: {'; '.join(row['faults'])}" for row in results if row["faults"]]
    return "\n".join(lines)


def main() -> int:
    """The command line of this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--command", choices=("track", "predict"), default="track")
    parser.add_argument("--only", default="*", help="glob over group/name")
    parser.add_argument("--cold", action="store_true", help="a fresh interpreter for each case")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", type=Path)
    told = parser.parse_args()
    # What every case needs is imported once, before the first fork; nothing of it starts a thread.
    import newtonscheme.estimation.analysis
    import newtonscheme.estimation.knowledge
    import newtonscheme.pipeline
    import newtonscheme.vision.tracking  # noqa: F401

    results = run_corpus(told.corpus, told.command, told.only, told.jobs, cold=told.cold)
    if told.json is not None:
        told.json.write_text(json.dumps(results, indent=1, ensure_ascii=True))
    sys.stdout.write(tell(results) + "\n")
    return 1 if any(row["faults"] for row in results) else 0


if __name__ == "__main__":
    sys.exit(main())
