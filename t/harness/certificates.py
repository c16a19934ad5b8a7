"""Certificates of tests, made with openssl."""

import subprocess


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True,
                   capture_output=True, timeout=60)


class Authority:
    """Signs certificates.

    Args:
        directory: path of the directory for its files.
        name: its name, also of its files.
    """

    def __init__(self, directory, name="authority"):
        self.directory = directory
        self.certificate = str(directory / (name + ".pem"))
        self.key = str(directory / (name + ".key"))
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-days", 2,
                "-keyout", self.key, "-out", self.certificate,
                "-subj", "/CN=" + name)

    def sign(self, name, alternatives=None):
        """Paths of a certificate and its key.

        Args:
            name: name of the files and of the subject.
            alternatives: its names as in ``IP:127.0.0.1,DNS:localhost``.
        """
        base = self.directory / name
        request, certificate, key, names = (
            str(base) + end for end in (".csr", ".pem", ".key", ".names"))
        openssl("req", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                "-out", request, "-subj", "/CN=" + name)
        with open(names, "w", encoding="ascii") as f:
            f.write("subjectAltName=%s\n" % alternatives
                    if alternatives else "")
        openssl("x509", "-req", "-in", request, "-days", 2,
                "-CA", self.certificate, "-CAkey", self.key,
                "-CAcreateserial", "-extfile", names, "-out", certificate)
        return certificate, key
