"""Random values of all that docs/models.md names, through a running server
and a real Python container, compared with what its table says.

The examples are the same in each run.
"""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from harness import PythonContainer, application, values
from harness.metrics import METRICS, scrape
from harness.session import NOCACHE

pytestmark = pytest.mark.once

HERE = Path(__file__).resolve().parent


def examples(count):
    return hypothesis_settings(
        max_examples=count, derandomize=True, deadline=None, database=None,
        suppress_health_check=list(HealthCheck))


@pytest.fixture
def ask(nginx):
    """A function that sends a batch and returns its answers."""
    def start(model, input_type="strings", setting="", env=(),
              links="m:1", extra=""):
        server = nginx(
            application("a", links, input_type + setting, slo="20s",
                        extra=extra), operator_extra=METRICS,
            http=NOCACHE + "clipper_model m { batch 16; batch_wait 5ms; }")
        PythonContainer(server, "m", model, input_type=input_type,
                        env={"PYTHONPATH": str(HERE), **dict(env)}.items())
        server.wait_replicas("m", 1)

        def send(inputs):
            response = server.post("/a/predict", {"input_batch": inputs})
            assert response.status == 200, (inputs, response)
            answers = values.parsed(response.body.decode())
            return answers.get("batch_predictions", [answers])

        send.server = server
        return send

    return start


def check(answers, expected):
    got = [one.get("model_error") or one["default"] or
           values.comparable(one["output"]) for one in answers]
    assert got == [values.comparable(one) for one in expected]


def test_what_a_function_returns(ask):
    send = ask(values.returned)

    @examples(120)
    @given(st.lists(values.cases, min_size=1, max_size=8))
    def run(cases):
        check(send([values.sent(one.value) for one in cases]),
              [one.alone for one in cases])

    run()


def test_what_a_function_returns_inside_a_structure(ask):
    send = ask(values.returned)

    @examples(120)
    @given(st.lists(values.cases, min_size=1, max_size=8))
    def run(cases):
        check(send([values.sent([one.value]) for one in cases]),
              [[one.inside] for one in cases])

    run()


def test_what_a_function_returns_for_the_batch(ask):
    send = ask(values.returned_rows)

    @examples(120)
    @given(values.batches())
    def run(batch):
        value, expected = batch
        text = values.sent(value)
        check(send(["%s %d" % (text, i) for i in range(len(expected))]),
              expected)

    run()


def labels_of(output):
    """Labels that an answer equals, as JSON: its value, the text of it."""
    if isinstance(output, bool) or output is None:
        value = {True: "true", False: "false", None: "null"}[output]
    elif isinstance(output, str):
        return [json.dumps(output)]
    else:
        value = str(output)
    return [value, json.dumps(value)]


def test_what_a_policy_sees(ask):
    """Each answer is right for the label that equals it."""
    send = ask(values.returned, links="m:1 n:1",
               extra="clipper_select exp3;")

    def right():
        return scrape(send.server)(
            "clipper_labels_total", app="a", match="right") or 0

    @examples(60)
    @given(st.lists(values.scalars, min_size=1, max_size=8))
    def run(cases):
        # A query takes one label: the value, and then the text of it.
        for form in (0, -1):
            before, labels = right(), []
            for one in send([values.sent(case.value) for case in cases]):
                output = one["output"]
                # What is long or a structure is not judged; a text that was
                # not UTF-8 equals no label.
                if isinstance(output, (list, dict)) or "\ufffd" in str(
                        output) or len(json.dumps(str(output))) > 60:
                    continue
                label = labels_of(output)[form]
                answer = send.server.post(
                    "/a/update", '{"query_id": %s, "label": %s}'
                    % (one["query_id"], label))
                assert answer.body.strip() == b"Feedback received? 1", label
                labels.append(label)
            assert right() - before == len(labels), labels

    run()


#: Input type -> (strategy of elements, NumPy's type, JSON of an input)
ARRAYS = {
    "bytes": (st.integers(-128, 127), np.int8, lambda x: base64.b64encode(
        np.array(x, np.int8).tobytes()).decode()),
    "ints": (st.integers(-2 ** 31, 2 ** 31 - 1), np.int32, list),
    "floats": (st.floats(allow_nan=False, allow_infinity=False, width=32)
               | st.floats(-1e38, 1e38) | st.integers(-99, 99),
               np.float32, list),
    "doubles": (st.floats(allow_nan=False, allow_infinity=False)
                | st.integers(-2 ** 70, 2 ** 70), np.float64, list),
}


@pytest.mark.parametrize("input_type", sorted(ARRAYS))
def test_what_a_function_gets(ask, input_type):
    elements, dtype, as_json = ARRAYS[input_type]
    send = ask(values.described, input_type)

    @examples(60)
    @given(st.lists(st.lists(elements, max_size=5), min_size=1, max_size=6))
    def run(inputs):
        check(send([as_json(one) for one in inputs]),
              [values.description(np.array(one, dtype)) for one in inputs])

    run()


@pytest.mark.parametrize("input_type", ["doubles", "floats"])
def test_missing_values_that_a_function_gets(ask, input_type):
    elements, dtype, _ = ARRAYS[input_type]
    send = ask(values.described, input_type, " nulls=nan")

    @examples(40)
    @given(st.lists(st.lists(elements | st.none(), max_size=5),
                    min_size=1, max_size=6))
    def run(inputs):
        check(send(inputs), [values.description(np.array(
            [np.nan if x is None else x for x in one], dtype))
            for one in inputs])

    run()


@pytest.mark.parametrize("as_bytes", [False, True])
def test_texts_that_a_function_gets(ask, as_bytes):
    send = ask(values.described, env={
        "CLIPPER_STRINGS": "bytes"} if as_bytes else {})

    @examples(60)
    @given(st.lists(st.text(max_size=20), min_size=1, max_size=6))
    def run(inputs):
        check(send(inputs), [values.description(
            one.encode() if as_bytes else one) for one in inputs])

    run()
