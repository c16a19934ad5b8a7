"""Estimate other selection policies from the log of the current one.

    python -m clipper_admin replay --log access.log \\
        --feedback feedback.jsonl --policy 'exp3 eta=0.1' \\
        --policy 'split linear=3 forest=1'

Each line of the access log is a JSON object, see `conf/clipper_log.conf`.
Each line of feedback is a JSON object with `query_id` and either `loss` (0 to
1) or `output` and `label`, as `Client(feedback_log=...)` writes it.
"""

from .estimate import Estimate, evaluate
from .policies import make_policy
from .records import Record, read_feedback, read_log, with_candidates

__all__ = [
    "Estimate",
    "Record",
    "evaluate",
    "make_policy",
    "read_feedback",
    "read_log",
    "with_candidates",
]
