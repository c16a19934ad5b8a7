"""What comes back when a cluster that was not stopped is started again."""

from typing import Any, Dict, Mapping

from .catalog import NO_CONTAINER, Catalog
from .containers import Deployed

#: Advice of `connect` when such a cluster does not run.
ADVICE = (
    "It was not stopped: start_clipper() starts it again with its "
    "applications and models"
)


def wanted(
    catalog: Catalog, counts: Mapping[str, int]
) -> Dict[Deployed, int]:
    """How many containers each version has to get.

    Args:
        counts: how many it had, by ``model:version``.
    """
    found = {}
    for model in catalog.models.values():
        for version in model.versions.values():
            what = Deployed(
                model.name, version.name, version.input_type, version.image
            )
            count = counts.get(str(what), 0)
            if count > 0 and version.image != NO_CONTAINER:
                found[what] = count
    return found


def report(catalog: Catalog, logger: Any) -> None:
    """Log what is back."""
    logger.info(
        "Restored the applications %s and the models %s",
        ", ".join(catalog.applications) or "(none)",
        ", ".join(catalog.models) or "(none)",
    )
