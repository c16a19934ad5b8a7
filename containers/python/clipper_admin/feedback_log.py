"""The feedback file that `clipper_admin.replay` reads."""

import collections
import json
import threading
from typing import Any, Iterable, Optional, Protocol

#: Maximum number of outputs without feedback; the oldest are dropped.
LIMIT = 100000


class Answer(Protocol):
    """The part of a prediction that the log keeps."""

    @property
    def output(self) -> Any:
        """Any JSON value."""

    @property
    def query_id(self) -> Optional[int]:
        """Identifies the query in feedback."""


class FeedbackLog:
    """Appends outputs with their labels to a file.

    Args:
        path: path of the file. Each line is a JSON object with query_id,
            output and label.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._outputs: "collections.OrderedDict[int, Any]" = (
            collections.OrderedDict()
        )
        self._lock = threading.Lock()

    def remember(self, answers: Iterable[Answer]) -> None:
        """Keep outputs until their feedback comes."""
        with self._lock:
            for one in answers:
                if one.query_id is not None:
                    self._outputs[one.query_id] = one.output
            while len(self._outputs) > LIMIT:
                self._outputs.popitem(last=False)

    def write(self, query_id: Optional[int], label: Any) -> None:
        """Append feedback to a query whose output is kept."""
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
