"""C sources as a shared library, for tests that compare them to Python."""

import ctypes
import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def folders():
    """The pure folders of src/, and nginx's folders of headers."""
    text = (ROOT / "t/unit/folders.mk").read_text().replace("\\\n", " ")
    pure = re.search(r"^PURE_FOLDERS := (.+)", text, re.M)[1].split()
    return pure, re.search(r"foreach d,([^,]+),", text)[1].split()


def build(directory, shim):
    """Compiles t/unit/SHIM.c and the pure folders of src/ (their files use no
    object of nginx), and loads the result."""
    out = directory / f"{shim}.so"
    nginx = os.environ.get("NGINX_SRC", "/usr/share/nginx/src")
    include = Path(os.environ.get("BUILD", "build")) / "include"
    subprocess.run(["make", "-s", "headers"], cwd=ROOT, check=True)

    cmd = [os.environ.get("CC", "cc"), "-std=gnu11", "-O2", "-fPIC", "-shared",
           "-D_GNU_SOURCE", "-iquote", "src", f"-I{include}"]
    pure, headers = folders()
    cmd += [f"-I{nginx}/src/{d}" for d in headers]
    cmd += ["-o", str(out), f"t/unit/{shim}.c"]
    for name in re.findall(r'^#include "(\w+)\.h"',
                           (ROOT / f"t/unit/{shim}.c").read_text(), re.M):
        cmd.append(f"t/unit/{name}.c")
    for folder in pure:
        cmd += sorted(map(str, ROOT.glob(f"src/{folder}/*.c")))
    subprocess.run(cmd + ["-lcmocka", "-lz", "-lm"], cwd=ROOT, check=True)

    return ctypes.CDLL(str(out))
