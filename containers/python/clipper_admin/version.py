"""Version of the package and the registry of its default images."""

import os

__version__ = "0.1.0"
__registry__ = os.environ.get("CLIPPER_REGISTRY", "clipper")
