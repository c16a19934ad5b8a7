"""A file of feedback, for `clipper_admin.replay`."""

import collections
import json
import threading
from typing import Any, Iterable, Optional, Protocol

#: Outputs that wait for their feedback; the oldest are forgotten.
LIMIT = 100000


class Answer(Protocol):
    """What is remembered of a prediction."""

    @property
    def output(self) -> Any:
        """Any JSON value."""

    @property
    def query_id(self) -> Optional[int]:
        """Names the query in feedback."""


class FeedbackLog:
    """Remembers outputs and appends them with their labels to a file.

    Args:
        path: of the file; a JSON object a line: query_id, output, label.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._outputs: "collections.OrderedDict[int, Any]" = (
            collections.OrderedDict()
        )
        self._lock = threading.Lock()

    def remember(self, answers: Iterable[Answer]) -> None:
        """Keep the outputs of predictions until their feedback."""
        with self._lock:
            for one in answers:
                if one.query_id is not None:
                    self._outputs[one.query_id] = one.output
            while len(self._outputs) > LIMIT:
                self._outputs.popitem(last=False)

    def write(self, query_id: Optional[int], label: Any) -> None:
        """Append the feedback to a query that is remembered."""
        with self._lock:
            if query_id is None or query_id not in self._outputs:
                return
            line = json.dumps(
                {
                    "query_id": query_id,
                    "output": self._outputs.pop(query_id),
                    "label": label,
                }
            )
            with open(self._path, "a", encoding="utf-8") as f:
                f.write(line + "\n")
