"""The command `clipper-replay`, also `python -m clipper_admin replay`."""

import argparse
import json
import math
import sys
from typing import List, Optional, Sequence, TextIO, Tuple

from ..exceptions import ClipperException
from . import policies
from .estimate import Estimate, evaluate
from .records import (
    Record,
    drawn,
    new_counter,
    read_feedback,
    read_log,
    with_candidates,
)

#: Propensities below are told of.
_LEAST = 1e-3

_WHY = {
    "malformed": "lines not in the log format",
    "cut": "requests with more inputs than the log has room for: the rest",
    "feedback": "queries without feedback",
    "propensity": "queries without a propensity",
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="clipper-replay",
        description="Estimate the mean reward (1 - loss) of other selection "
        "policies from an access log (conf/clipper_log.conf) and feedback.",
    )
    made.add_argument("--log", required=True, help="access log")
    made.add_argument(
        "--feedback",
        required=True,
        help="file with a JSON object on each line: query_id with loss, or "
        "with output and label",
    )
    made.add_argument("--app", default="", help="use only this application")
    made.add_argument(
        "--models",
        default="",
        help="candidates MODEL:VERSION,... in the order of the links; by "
        "default the models in the log, sorted",
    )
    made.add_argument(
        "--policy",
        action="append",
        required=True,
        help="policy with parameters, such as 'exp3 eta=0.1'; one of %s; can "
        "be repeated"
        % ", ".join(policies.names()),
    )
    made.add_argument(
        "--loss",
        default="zero_one",
        help="loss for feedback with labels: zero_one, absolute or squared",
    )
    made.add_argument(
        "--range",
        default="0:1",
        help="LO:HI, range of the outputs for absolute and squared",
    )
    made.add_argument(
        "--clip", type=float, default=100.0, help="maximum weight (100)"
    )
    made.add_argument("--confidence", type=float, default=0.95)
    made.add_argument(
        "--interval", choices=["normal", "bootstrap"], default="normal"
    )
    made.add_argument(
        "--json",
        action="store_true",
        help="print a JSON object instead of a table",
    )
    return made


def main(
    argv: Optional[Sequence[str]] = None, out: TextIO = sys.stdout
) -> int:
    """Run the command; returns its exit code."""
    args = parser().parse_args(argv)
    try:
        return _run(args, out)
    except (ClipperException, OSError) as error:
        print("clipper-replay: %s" % error, file=sys.stderr)
        return 1


def _run(args: argparse.Namespace, out: TextIO) -> int:
    low, _, high = args.range.partition(":")
    try:
        bounds = float(low), float(high)
    except ValueError:
        raise ClipperException(
            "Invalid range %s. It has the form LO:HI" % args.range
        ) from None
    wanted = [policies.make_policy(text) for text in args.policy]
    with open(args.feedback, encoding="utf-8") as f:
        losses = read_feedback(f, args.loss, *bounds)
    skipped = new_counter()
    with open(args.log, encoding="utf-8", errors="replace") as f:
        records = with_candidates(
            read_log(f, losses, skipped, args.app),
            [one for one in args.models.split(",") if one],
        )
    _judge(records)
    found = [
        (text, evaluate(policy, records, args.clip, args.confidence,
                        args.interval))
        for text, policy in zip(args.policy, wanted)
    ]
    if args.json:
        json.dump(
            {
                "skipped": dict(skipped),
                "policies": {
                    text: estimate.as_dict() for text, estimate in found
                },
            },
            out,
        )
        out.write("\n")
    else:
        _table(found, out)
    for reason, count in sorted(skipped.items()):
        print("left out: %d %s" % (count, _WHY[reason]), file=sys.stderr)
    return 0


def _judge(records: List[Record]) -> None:
    """Refuse a log that nothing can be estimated from."""
    if records and not drawn(records):
        raise ClipperException(
            "The log comes from a policy that does not draw its models "
            "(first, ucb): it says nothing about models that were not chosen. "
            "Log thompson, exp3 or epsilon_greedy with a floor, or split"
        )
    least = min((one.propensity for one in records), default=1.0)
    if least < _LEAST:
        print(
            "clipper-replay: propensities go down to %.1e; with floor=0.01 "
            "in clipper_select no record outweighs the others" % least,
            file=sys.stderr,
        )


def _table(found: List[Tuple[str, Estimate]], out: TextIO) -> None:
    width = max([len(text) for text, _ in found] + [len("(as logged)")])
    line = "%-*s  %-24s  %-24s  %9s  %7s  %6s\n"
    out.write(
        line % (width, "policy", "IPS", "SNIPS", "effective", "clipped",
                "mean w")
    )
    first = found[0][1]
    out.write(
        "%s  %.4f (%d records)\n"
        % ("(as logged)".ljust(width), first.logged, first.records)
    )
    for text, one in found:
        out.write(
            line
            % (
                width,
                text,
                "%.4f [%.4f, %.4f]" % one.ips,
                "%.4f [%.4f, %.4f]" % one.snips,
                "%.0f" % one.effective,
                "%.2f%%" % (100 * one.clipped),
                "%.3f" % one.mean_weight,
            )
        )
        if math.fabs(one.mean_weight - 1) > 0.1:
            out.write(
                "%*s  (the log has too few of this policy's choices)\n"
                % (width, "")
            )
