"""Modules under the names that the original Clipper's containers import.

The directory is in the `PYTHONPATH` of programs that bring their own `main`.
"""
