"""Runs the soak and judges it: python -m soak.run --seconds 3600.

The first third is with the checked build, the rest with the ordinary one:
each a process of its own, as the harness takes the build from the
environment.
"""

import argparse
import collections
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import Settings

from . import judge, plot
from .faults import Faults
from .world import LINKS, World

ROOT = Path(__file__).resolve().parent.parent.parent

#: What must not grow, and by how much it may seem to, in a quarter of a run:
#: kilobytes of a worker and of the master, descriptors of a worker, rows,
#: keys of Redis.
FLAT = {"memory": 256, "master": 128, "descriptors": 2, "rows": 10,
        "states": 10, "keys": 100}

#: What a sanitizer keeps: freed memory, up to 256 MB.
KEEPS = {"memory", "master"}


def growing(world):
    """What grows in the last quarter of a part of a run."""
    for name, least in FLAT.items():
        samples = judge.last_quarter(
            [(one["time"], one[name]) for one in world.samples])
        if judge.grows(samples, least) \
                and not (world.checked and name in KEEPS):
            yield name


def verdict(world, total):
    """Problems, and how much was explained by what."""
    floor = judge.allowed(total, world.checked)
    explained = collections.Counter()
    problems = list(world.problems)
    for seen in world.seen:
        if seen.kind == "late":
            if judge.late(seen.begin, seen.end, world.gaps, floor):
                problems.append(repr(seen))
            continue
        why = judge.explanation(seen, world.faults, world.gaps)
        if why is None:
            problems.append(repr(seen))
        else:
            explained[f"{seen.kind}: {why}"] += 1
    if total >= judge.LONG:
        problems += [f"{name} grows" for name in growing(world)]
    problems += [f"{policy} never answered" for policy in LINKS
                 if not world.answered[policy]]
    return problems, explained


def phase(options):
    """One build, one world; what it found goes to a file."""
    directory = Path(options.directory)
    begin = time.monotonic()

    def say(text):
        if options.verbose:
            print(f"{time.monotonic() - begin:8.2f} {text}", flush=True)

    world = World(Settings(ROOT), directory, options.seed, options.seconds,
                  options.total, say)
    faults = Faults(world)
    try:
        world.start()
        faults.start()
        world.run()
        world.finish()
    finally:
        world.close()
    problems, explained = verdict(world, options.total)
    return {
        "checked": world.checked, "seconds": options.seconds,
        "problems": problems, "explained": explained,
        "faults": [[f.kind, f.begin, f.end, f.detail] for f in world.faults],
        "seen": [repr(one) for one in world.seen[:1000]],
        "samples": world.samples, "counts": world.counts,
        "answers": sum(world.answered.values()),
        "standstill": [sum(b - a for a, b in world.gaps),
                       max((b - a for a, b in world.gaps), default=0.0)],
    }


def report(found):
    """One paragraph on a phase."""
    kinds = collections.Counter(kind for kind, *_ in found["faults"])
    print(f"{'checked' if found['checked'] else 'ordinary'} build, "
          f"{found['seconds']:.0f} s: {found['answers']} answers, "
          f"{len(found['faults'])} faults, {len(found['problems'])} problems")
    for title, counts in (("faults", kinds), ("counted", found["counts"]),
                          ("explained", found["explained"])):
        print(f"  {title}: " + (", ".join(
            f"{name} {count}" for name, count in sorted(counts.items()))
            or "none"))
    total, longest = found["standstill"]
    print(f"  the machine or the clients stood still for {total:.1f} s in "
          f"all, {longest * 1000:.0f} ms at most")
    for problem in found["problems"][:40]:
        print(f"  PROBLEM: {problem}")


def run_phase(options, seconds, checked, directory):
    directory.mkdir(parents=True)
    env = dict(os.environ)
    env.pop("CLIPPER_TEST_SANITIZER", None)
    if checked:
        env["CLIPPER_TEST_SANITIZER"] = "1"
    result = directory / "result.json"
    child = subprocess.Popen(
        [sys.executable, "-m", "soak.run", "--seconds", str(seconds),
         "--total", str(options.seconds), "--seed", str(options.seed),
         "--directory", str(directory), "--result", str(result)]
        + ["--verbose"] * options.verbose, env=env)
    try:
        code = child.wait()
    except BaseException:
        child.terminate()
        child.wait()
        raise
    if code != 0:
        raise SystemExit(f"the soak itself failed: see {directory}")
    return json.loads(result.read_text())


def interrupted(number, frame):
    """A run that is told to end ends its servers, in peace."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--directory")
    parser.add_argument("--plot", help="writes an SVG")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--total", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--result", help=argparse.SUPPRESS)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, interrupted)

    if options.result:
        Path(options.result).write_text(json.dumps(phase(options)))
        return

    directory = Path(options.directory or tempfile.mkdtemp(prefix="soak-"))
    print(f"seed {options.seed}, in {directory}", flush=True)
    found = []
    for checked, part in ((True, 1 / 3), (False, 2 / 3)):
        found.append(run_phase(options, options.seconds * part, checked,
                               directory / ("checked" if checked
                                            else "ordinary")))
        report(found[-1])
    if options.plot:
        Path(options.plot).write_text(plot.draw(found))
    if any(one["problems"] for one in found):
        raise SystemExit(1)
    print("no problem")


if __name__ == "__main__":
    main()
