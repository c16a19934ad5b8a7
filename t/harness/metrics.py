"""The endpoint of clipper_metrics, read strictly."""

import re

METRICS = "location = /metrics { clipper_metrics; }"

SAMPLE = re.compile(r'(\w+)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


class Scrape:
    """One answer of the endpoint, parsed strictly."""

    def __init__(self, text):
        self.types, self.helps, self.samples = {}, {}, {}
        for line in text.splitlines():
            if line.startswith("# HELP "):
                name, self.last_help = line[7:].split(" ", 1)
                self.helps[name] = self.last_help
            elif line.startswith("# TYPE "):
                name, kind = line[7:].split(" ")
                assert name not in self.types, name
                self.types[name] = kind
            else:
                self._sample(line)

    def _sample(self, line):
        match = SAMPLE.fullmatch(line)
        assert match, line
        name, labels, value = match.groups()
        pairs = LABEL.findall(labels or "")
        assert ",".join(f'{k}="{v}"' for k, v in pairs) == (labels or "")
        key = (name, frozenset(pairs))
        assert key not in self.samples, line
        self.samples[key] = float(value)

    def __call__(self, name, **labels):
        """The sum of the samples with these labels; None without samples."""
        wanted = set(labels.items())
        found = [value for (sample, pairs), value in self.samples.items()
                 if sample == name and wanted <= pairs]
        return sum(found) if found else None

    def labels(self, name, label):
        return {dict(pairs)[label] for sample, pairs in self.samples
                if sample == name and label in dict(pairs)}

    def family(self, sample):
        base = re.sub(r"_(bucket|sum|count)$", "", sample)
        return base if self.types.get(base) == "histogram" else sample


def scrape(server):
    response = server.get("/metrics")
    assert response.status == 200, response
    assert response.headers["content-type"] == "text/plain; version=0.0.4"
    assert int(response.headers["content-length"]) == len(response.body)
    return Scrape(response.body.decode())
