"""Four places name what the build and the module need of Debian: .ci/deps for
a developer, the Dockerfile for an image, debian/control for the packages, and
config, which says what is missing."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent

#: A library's package for building, and that with the library itself.
RUNTIME = {"libzmq3-dev": "libzmq5", "libhiredis-dev": "libhiredis0.14",
           "libjansson-dev": "libjansson4", "zlib1g-dev": "zlib1g"}

#: Every machine that builds Debian packages has these (build-essential).
ESSENTIAL = {"gcc", "libc6-dev", "make"}


def groups(text):
    """{group: its packages} of .ci/deps."""
    return {name: set(packages.split()) for name, packages in re.findall(
        r"^(\w+)='([^']*)'", text, re.M)}


def stages(text):
    """The packages that each stage of the Dockerfile installs."""
    return [set(found.replace("\\", " ").split()) for found in re.findall(
        r"--no-install-recommends install \\\n(.*?)&&", text, re.S)]


def build_depends(text):
    """Names of the packages in Build-Depends of debian/control."""
    found = re.search(r"^Build-Depends:(.*(?:\n .*)*)", text, re.M).group(1)
    return {re.sub(r"\(.*", "", one).strip() for one in found.split(",")}


def differences(deps, dockerfile, control, config):
    """{place: packages that it has too many or too few of}."""
    need = groups(deps)
    build, image = stages(dockerfile)
    libraries = set(re.findall(r'package "([^"]+)"', config))
    wrong = {
        "image, to build": build ^ need["build"],
        "image, to run": image ^ {"nginx", *RUNTIME.values()},
        "config": libraries ^ set(RUNTIME),
        ".ci/deps": set(RUNTIME) - need["build"],
        # debhelper-compat is the level of debhelper
        "debian/control": (build_depends(control) - {"debhelper-compat"})
        ^ ((need["build"] - ESSENTIAL)
           | {"python3", "dh-python", "pybuild-plugin-pyproject",
              "python3-setuptools"}),
        ".ci/deps, to make packages": {
            one for one in build_depends(control) - {"debhelper-compat"}
            if one not in need["build"] | need["package"] | need["python"]},
    }
    return {place: packages for place, packages in wrong.items() if packages}


def files():
    return [(ROOT / name).read_text() for name in (
        ".ci/deps", "Dockerfile", "debian/control", "config")]


def test_packages_are_the_same_everywhere():
    """Catches a package that is added, dropped or renamed in one place
    only."""
    assert differences(*files()) == {}


def test_a_difference_is_found():
    """Catches a comparison that finds nothing: each place lacks one."""
    deps, dockerfile, control, config = files()
    for broken, places in (
            ((deps.replace("libhiredis-dev", ""), dockerfile, control, config),
             {"image, to build", ".ci/deps", "debian/control",
              ".ci/deps, to make packages"}),
            ((deps, dockerfile.replace("libjansson-dev", ""), control, config),
             {"image, to build"}),
            ((deps, dockerfile.replace("libzmq5", ""), control, config),
             {"image, to run"}),
            ((deps, dockerfile, control.replace("libzmq3-dev", "x"), config),
             {"debian/control", ".ci/deps, to make packages"}),
            ((deps, dockerfile, control,
              config.replace('"zlib1g-dev"', '"zlib-dev"')), {"config"})):
        assert set(differences(*broken)) == places
