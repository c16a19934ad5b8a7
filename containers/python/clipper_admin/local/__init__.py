"""The embedded cluster: nginx and containers as processes of this host."""

from .manager import LocalContainerManager

__all__ = ["LocalContainerManager"]
