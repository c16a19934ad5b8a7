"""What a model's function calls, under the original's names."""

import functools
from typing import Any, Callable, TypeVar, cast

from clipper_container import metrics
from clipper_container.metrics import DEFAULT_BUCKETS, TYPES

from ..exceptions import ClipperException

__all__ = ["DEFAULT_BUCKETS", "TYPES", "add_metric", "report_metric"]

_Function = TypeVar("_Function", bound=Callable[..., None])


def _of_runtime(function: _Function) -> _Function:
    """A function of the runtime with the exceptions of this package."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except metrics.MetricError as error:
            raise ClipperException(str(error)) from None

    call.__module__ = __name__
    return cast(_Function, call)


add_metric = _of_runtime(metrics.add_metric)
report_metric = _of_runtime(metrics.report_metric)
