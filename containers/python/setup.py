"""Builds outside of the source tree; everything else is in pyproject.toml."""

import atexit
import shutil
import tempfile

from setuptools import setup
from setuptools.command.build import build


class Build(build):
    """The command "build", in a directory that ends with the process."""

    def initialize_options(self):
        super().initialize_options()
        self.build_base = tempfile.mkdtemp(prefix="clipper-build-")
        atexit.register(shutil.rmtree, self.build_base, True)


setup(cmdclass={"build": Build})
