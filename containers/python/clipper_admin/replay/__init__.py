"""What another policy would have been worth, from the log of the one in use.

    python -m clipper_admin replay --log access.log --feedback feedback.jsonl \\
        --policy 'exp3 eta=0.1' --policy 'split linear=3 forest=1'

The access log has the format of `conf/clipper_log.conf`: a JSON object a
line. Feedback is a JSON object a line, too: `query_id` with `loss` (0 to 1),
or with `output` and `label`, as `Client(feedback_log=...)` writes it.
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
