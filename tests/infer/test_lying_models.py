"""Models whose metadata, graph or outputs are impossible: a ModelError that names the field, never a label."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from made_films import flat_film
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from small_models import METADATA, POINT, write_model

from pneumo_infer import Classifier, ModelError
from pneumo_infer.model import session, trial

ESCAPE = "\x1b[31m"
Lie = Callable[[onnx.ModelProto], None]


def points(**changes: Any) -> dict[str, str]:
    return {"operating_points": json.dumps({"balanced": {**POINT, **changes}})}


def intervals(*sensitivity: float) -> dict[str, str]:
    return points(intervals={"sensitivity": sensitivity, "specificity": [0.7, 0.9]})


def band(low: float, high: float) -> dict[str, str]:
    return {"uncertain_band": json.dumps({"low": low, "high": high})}


def population(ages: object, views: object = ("PA",)) -> dict[str, str]:
    return {"population": json.dumps({"age_years": ages, "views": views})}


THRESHOLD = "pneumo.operating_points.balanced.threshold"
METADATA_LIES: dict[str, tuple[dict[str, str], str]] = {
    "threshold NaN": (points(threshold=math.nan), THRESHOLD),
    "threshold Infinity": (points(threshold=math.inf), THRESHOLD),
    "threshold -1": (points(threshold=-1), THRESHOLD),
    "threshold 1.5": (points(threshold=1.5), THRESHOLD),
    "threshold true": (points(threshold=True), THRESHOLD),
    "threshold text": (points(threshold="0.5"), THRESHOLD),
    "threshold null": (points(threshold=None), THRESHOLD),
    "threshold of 400 digits": (points(threshold=10**400), THRESHOLD),
    "threshold 1e999": (
        {"operating_points": points(threshold=7)["operating_points"].replace("7", "1e999", 1)},
        THRESHOLD,
    ),
    "sensitivity 1.5": (points(sensitivity=1.5), "pneumo.operating_points.balanced.sensitivity"),
    "interval of three": (intervals(0.1, 0.2, 0.3), "pneumo.operating_points.balanced.intervals.sensitivity"),
    "interval reversed": (intervals(0.9, 0.1), "pneumo.operating_points.balanced.intervals.sensitivity"),
    "chosen_on a number": (points(chosen_on=3), "pneumo.operating_points.balanced.chosen_on"),
    "points a list": ({"operating_points": "[]"}, "pneumo.operating_points"),
    "a name twice": ({"operating_points": '{"balanced": 1, "balanced": 2}'}, "pneumo.operating_points"),
    "no points": ({"operating_points": "{}"}, "operating point 'balanced'"),
    "limit Infinity": ({"domain_limit": "Infinity"}, "pneumo.domain_limit"),
    "limit NaN": ({"domain_limit": "NaN"}, "pneumo.domain_limit"),
    "limit 1e999": ({"domain_limit": "1e999"}, "pneumo.domain_limit"),
    "limit -1": ({"domain_limit": "-1"}, "pneumo.domain_limit"),
    "limit true": ({"domain_limit": "true"}, "pneumo.domain_limit"),
    "band reversed": (band(0.8, 0.2), "pneumo.uncertain_band"),
    "band NaN": (band(math.nan, 0.2), "pneumo.uncertain_band.low"),
    "band a list": ({"uncertain_band": "[0.2, 0.8]"}, "pneumo.uncertain_band"),
    "ages reversed": (population([6, 1]), "pneumo.population.age_years"),
    "ages Infinity": (population([0, math.inf]), "pneumo.population.age_years"),
    "views numbers": (population([1, 6], [1, 2]), "pneumo.population.views"),
    "labels an object": ({"labels": '{"NORMAL": 0, "PNEUMONIA": 1}'}, "pneumo.labels"),
    "metrics NaN": ({"metrics": '{"test": {"auc": NaN}}'}, "pneumo.metrics.test.auc"),
    "metrics a list": ({"metrics": "[]"}, "pneumo.metrics"),
    "data nested 100,000 deep": ({"data": "[" * 100_000 + "]" * 100_000}, "pneumo.data"),
    "data nested 20 deep": ({"data": '{"a":' * 20 + "1" + "}" * 20}, "pneumo.data.a.a"),
    "source not a digest": ({"source_sha256": "0" * 63}, "pneumo.source_sha256"),
    "2 MB of metadata": ({"data": json.dumps({"a": "b" * 2_000_000})}, "bytes of metadata"),
    "a text of 100,000 characters": ({"licence": "b" * 100_000}, "pneumo.licence"),
    "control character in a point's name": (
        {"operating_points": json.dumps({"balanced": POINT, f"{ESCAPE}screening": POINT})},
        "pneumo.operating_points has the name",
    ),
    "control character in chosen_on": (points(chosen_on=ESCAPE), "pneumo.operating_points.balanced.chosen_on"),
    "control character in the version": ({"version": f"1{ESCAPE}"}, "pneumo.version"),
    "line break in the licence": ({"licence": "free\npneumo-infer: all is well"}, "pneumo.licence"),
    "right-to-left mark in the use": ({"intended_use": "tests\u202e"}, "pneumo.intended_use"),
    "control character in a view": (population([1, 6], ["PA\r"]), "pneumo.population.views"),
}


@pytest.mark.parametrize("lie", sorted(METADATA_LIES))
def test_metadata(tmp_path: Path, lie: str) -> None:
    changes, field = METADATA_LIES[lie]
    require_refused(write_model(tmp_path / "m.onnx", {**METADATA, **changes}), field)


def require_refused(path: Path, field: str, threads: int | None = None) -> None:
    with pytest.raises(ModelError) as raised:
        Classifier(path, device="cpu", threads=threads)
    message = str(raised.value)
    assert field in message
    assert message.isprintable()
    assert len(message) < 1000


def answer(output: str, operator: str, value: float, **attributes: int) -> Lie:
    """Put an operator with a constant behind an output."""

    def change(model: onnx.ModelProto) -> None:
        (node,) = [node for node in model.graph.node if output in node.output]
        readers = [node for node in model.graph.node if output in node.input]
        for reader in readers:
            reader.input[[*reader.input].index(output)] = "honest"
        node.output[[*node.output].index(output)] = "honest"
        constant = numpy_helper.from_array(np.array(value, np.float32), "lie")
        model.graph.initializer.append(constant)
        model.graph.node.append(helper.make_node(operator, ["honest", "lie"], [output], **attributes))

    return change


def declare(output: str, kind: int, shape: list[str | int]) -> Lie:
    def change(model: onnx.ModelProto) -> None:
        (value,) = [value for value in model.graph.output if value.name == output]
        value.CopyFrom(helper.make_tensor_value_info(output, kind, shape))

    return change


def one_answer_for_all_films(model: onnx.ModelProto) -> None:
    answer("probability", "ReduceMean", 0)(model)
    model.graph.initializer[-1].CopyFrom(numpy_helper.from_array(np.array([0], np.int64), "lie"))


def a_column(model: onnx.ModelProto) -> None:
    one_answer_for_all_films(model)
    model.graph.node[-1].CopyFrom(helper.make_node("Unsqueeze", ["honest", "axis"], ["probability"]))
    model.graph.initializer[-1].CopyFrom(numpy_helper.from_array(np.array([1], np.int64), "axis"))
    declare("probability", TensorProto.FLOAT, ["N", 1])(model)


def doubles(model: onnx.ModelProto) -> None:
    answer("probability", "Add", 0)(model)
    model.graph.node[-1].CopyFrom(helper.make_node("Cast", ["honest"], ["probability"], to=TensorProto.DOUBLE))
    declare("probability", TensorProto.DOUBLE, ["N"])(model)


def a_sequence(model: onnx.ModelProto) -> None:
    answer("probability", "Add", 0)(model)
    model.graph.node[-1].CopyFrom(helper.make_node("SequenceConstruct", ["honest"], ["probability"]))
    (value,) = [value for value in model.graph.output if value.name == "probability"]
    value.CopyFrom(helper.make_tensor_sequence_value_info("probability", TensorProto.FLOAT, ["N"]))


def external() -> TensorProto:
    tensor = TensorProto(name="elsewhere", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return tensor


def external_initializer(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(external())


def external_constant(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Constant", [], ["constant"], value=external()))


def in_a_branch(node: onnx.NodeProto) -> Lie:
    def change(model: onnx.ModelProto) -> None:
        value = helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, None)
        branch = helper.make_graph([node], "branch", [], [value])
        model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
        model.graph.node.append(helper.make_node("If", ["yes"], ["chosen"], then_branch=branch, else_branch=branch))

    return change


def another_domain(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    model.graph.node.append(helper.make_node("Gelu", ["logit"], ["gelu"], domain="com.microsoft"))


def a_function(model: onnx.ModelProto) -> None:
    identity = helper.make_node("Identity", ["x"], ["y"])
    model.functions.append(helper.make_function("own", "F", ["x"], ["y"], [identity], [helper.make_opsetid("", 18)]))


def an_entry_twice(model: onnx.ModelProto) -> None:
    model.metadata_props.add(key="pneumo.domain_limit", value="1e9")


def graphs_in_graphs(model: onnx.ModelProto) -> None:
    graph = helper.make_graph([], "innermost", [], [])
    for _ in range(20):
        graph = helper.make_graph([helper.make_node("If", ["yes"], [], then_branch=graph)], "branch", [], [])
    model.graph.node.append(helper.make_node("If", ["yes"], [], then_branch=graph, else_branch=graph))


def endless_loop(model: onnx.ModelProto) -> None:
    step = helper.make_graph(
        [helper.make_node("Identity", [name], [f"{name}_out"]) for name in ("go_on", "carried")],
        "step",
        [
            helper.make_tensor_value_info("count", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("carried", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("carried_out", TensorProto.FLOAT, None),
        ],
    )
    answer("probability", "Add", 0)(model)
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    model.graph.node[-1].CopyFrom(helper.make_node("Loop", ["", "yes", "honest"], ["probability"], body=step))


GRAPH_LIES: dict[str, tuple[Lie, str]] = {
    "probability NaN": (answer("probability", "Add", math.nan), "'probability'"),
    "probability 7.5": (answer("probability", "Add", 7.5), "'probability'"),
    "probability -1": (answer("probability", "Sub", 1.5), "'probability'"),
    "logit Infinity": (answer("logit", "Add", math.inf), "'logit'"),
    "heatmap NaN": (answer("heatmap", "Add", math.nan), "'heatmap'"),
    "heatmap negative": (answer("heatmap", "Sub", 1e6), "'heatmap'"),
    "distance NaN": (answer("domain_distance", "Add", math.nan), "'domain_distance'"),
    "distance -1e6": (answer("domain_distance", "Sub", 1e6), "'domain_distance'"),
    "distance Infinity": (answer("domain_distance", "Add", math.inf), "'domain_distance'"),
    "one answer for all films": (one_answer_for_all_films, "'probability'"),
    "probability a column": (a_column, "'probability'"),
    "probability double": (doubles, "'probability'"),
    "probability a sequence": (a_sequence, "'probability'"),
    "weights elsewhere": (external_initializer, "external data"),
    "a constant elsewhere": (external_constant, "external data"),
    "a constant of a branch elsewhere": (
        in_a_branch(helper.make_node("Constant", [], ["constant"], value=external())),
        "external data",
    ),
    "another domain": (another_domain, "domain 'com.microsoft'"),
    "another domain in a branch": (
        in_a_branch(helper.make_node("Gelu", ["logit"], ["gelu"], domain="com.microsoft")),
        "domain 'com.microsoft'",
    ),
    "a function": (a_function, "functions"),
    "an entry twice": (an_entry_twice, "pneumo.domain_limit twice"),
    "graphs in graphs": (graphs_in_graphs, "nested too deeply"),
    "a loop that never ends": (endless_loop, "did not finish a trial run within 1 s"),
}


@pytest.mark.parametrize("lie", sorted(GRAPH_LIES))
def test_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: str) -> None:
    monkeypatch.setattr(trial, "TRIAL_SECONDS", 1.0)
    change, field = GRAPH_LIES[lie]
    path = write_model(tmp_path / "m.onnx", METADATA)
    model = onnx.load(path)
    change(model)
    onnx.save(model, path)
    require_refused(path, field)


def matrices(start: str, side: int, products: int) -> Lie:
    """Add a square matrix, filled with the sum of a tensor, and multiply it with itself again and again."""

    def change(model: onnx.ModelProto) -> None:
        answer("probability", "Add", 0)(model)
        model.graph.node.pop()
        model.graph.initializer.append(numpy_helper.from_array(np.array([side, side], np.int64), "sides"))
        names = [f"matrix{number}" for number in range(products + 1)]
        model.graph.node.extend(
            [
                helper.make_node("ReduceSum", [start], ["filling"], keepdims=0),
                helper.make_node("Expand", ["filling", "sides"], names[:1]),
                *(helper.make_node("MatMul", [a, a], [b]) for a, b in pairwise(names)),
                helper.make_node("ReduceSum", names[-1:], ["sum"], keepdims=0),
                helper.make_node("Mul", ["sum", "lie"], ["nothing"]),
                helper.make_node("Add", ["honest", "nothing"], ["probability"]),
            ]
        )

    return change


@pytest.mark.parametrize(
    ("limit", "change", "problem"),
    [
        # Constants are computed before the first run, and a run ends between two operators only.
        ((session, "PREPARATION_SECONDS"), matrices("lie", 1000, 40), "was not ready to run within 0.1 s"),
        ((trial, "TRIAL_SECONDS"), matrices("logit", 3000, 1), "did not finish a trial run within 0.1 s"),
    ],
    ids=["constants that take long", "one operator that takes long"],
)
def test_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: tuple[ModuleType, str], change: Lie, problem: str
) -> None:
    path = write_model(tmp_path / "m.onnx", METADATA)
    model = onnx.load(path)
    change(model)
    onnx.save(model, path)
    began = time.perf_counter()
    Classifier(path, device="cpu", threads=1)
    unlimited = time.perf_counter() - began
    monkeypatch.setattr(*limit, 0.1)
    began = time.perf_counter()
    require_refused(path, problem, threads=1)
    assert time.perf_counter() - began < unlimited


def without_utf8(content: bytes) -> bytes:
    return content.replace(b"intended_use", b"intended_us\xff")


def cut_off(content: bytes) -> bytes:
    return content[:-1]


def in_the_format_of_onnxruntime(content: bytes) -> bytes:
    return b"\x08\x00\x00\x00ORTM" + content


def a_million_fields(content: bytes) -> bytes:
    return content + b"\x10\x01" * 1_000_000


@pytest.mark.parametrize("damage", [without_utf8, cut_off, in_the_format_of_onnxruntime, a_million_fields])
def test_encoding(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = write_model(tmp_path / "m.onnx", METADATA)
    path.write_bytes(damage(path.read_bytes()))
    require_refused(path, "m.onnx")


def nan_for_bright_films(path: Path) -> Path:
    """The probability plus zero times log(200 - mean); the trial films are darker than that."""
    model = onnx.load(write_model(path, METADATA))
    answer("probability", "Add", 0)(model)
    model.graph.initializer.append(numpy_helper.from_array(np.array(200, np.float32), "bright"))
    model.graph.node.pop()
    for operator, inputs, output in (
        ("Sub", ["bright", "mean"], "below"),
        ("Log", ["below"], "logarithm"),
        ("Mul", ["logarithm", "lie"], "nothing"),
        ("Add", ["honest", "nothing"], "probability"),
    ):
        model.graph.node.append(helper.make_node(operator, inputs, [output]))
    onnx.save(model, path)
    return path


def test_an_output_that_is_impossible_for_one_film_only(tmp_path: Path) -> None:
    path = nan_for_bright_films(tmp_path / "m.onnx")
    classifier = Classifier(path, device="cpu")
    dark, bright = flat_film(123), flat_film(220)
    assert classifier.predict(dark).label == "NORMAL"
    with pytest.raises(ModelError, match="'probability' is nan"):
        classifier.predict(bright)
    with pytest.raises(ModelError, match="'probability' is nan"):
        list(classifier.predict_many([dark, bright]))
    Image.fromarray(bright).save(tmp_path / "bright.png")
    command = [sys.executable, "-m", "pneumo_infer", "--json", "--model", path, tmp_path / "bright.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "NaN" not in done.stdout
    assert "'probability' is nan" in done.stderr
