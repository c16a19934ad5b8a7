"""Decorators of the original's package."""

import functools
import time
from typing import Any, Callable, Optional, Tuple, Type, Union


def retry(
    ExceptionToCheck: Union[Type[Exception], Tuple[Type[Exception], ...]],
    tries: int = 4,
    delay: float = 3,
    backoff: float = 2,
    logger: Optional[Any] = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function that is called again when it raises.

    Args:
        ExceptionToCheck: exceptions after which it is called again.
        tries: how often it is called at most.
        delay: seconds before the second call.
        backoff: factor of the delay for each further call.
        logger: gets a warning for each failure; None prints it.
    """

    def make(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            wait = delay
            for _ in range(tries - 1):
                try:
                    return function(*args, **kwargs)
                except ExceptionToCheck as error:
                    text = "%s, Retrying in %d seconds..." % (error, wait)
                    if logger is None:
                        print(text)
                    else:
                        logger.warning(text)
                time.sleep(wait)
                wait *= backoff
            return function(*args, **kwargs)

        return called

    return make
