"""A trained student as ONNX files: one with its weights in half precision, one in 8 bits."""

from __future__ import annotations

import hashlib
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diffusionseg.data import atomic_write
from diffusionseg.distillation.network import StudentNetwork
from diffusionseg.student.files import FILES, INPUT, OUTPUT

try:
    import onnx
    import onnxscript  # noqa: F401, which torch writes ONNX with
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process
except ImportError as error:
    raise ValueError(
        f"writing a student needs onnx and onnxscript ({error}); pip install 'diffusionseg[onnx]'"
    ) from error

_SMALL = 1024
"""Numbers of a tensor below which half precision would save nothing."""


def write_onnx(network: StudentNetwork, pictures: NDArray[np.uint8], out: Path) -> dict[str, str]:
    """Write student.onnx and student-int8.onnx into `out`; returns sha256 (hex) by file name.

    Both map `pictures` (N, 3, S, S) float32 in 0…1, N free, to `saliency` (N, S/2, S/2) float32 in 0…1. `pictures`
    (M, S, S, 3) uint8 give the ranges of the 8-bit variant.
    """
    values = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), np.float32) / np.float32(255)
    whole = _exported(network, values.shape[-1])
    contents = {"student": _in_half_precision(whole), "student-int8": _in_8_bits(whole, values)}
    for name, content in contents.items():
        atomic_write(out / FILES[name], content)
    return {FILES[name]: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


class _Saliency(nn.Module):
    def __init__(self, network: StudentNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.network(pictures)
        return logits.sigmoid()[:, 0]


def _exported(network: StudentNetwork, side: int) -> onnx.ModelProto:
    module = _Saliency(network).eval()
    with _quiet():
        program = torch.onnx.export(
            module,
            # More than one, or the exporter takes the number for fixed.
            (torch.zeros(2, 3, side, side),),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("photographs")},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    return _without_remarks(model)


def _without_remarks(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without what the exporter noted: lines of source code and where that lay."""
    del model.metadata_props[:], model.graph.metadata_props[:]
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
        part.doc_string = ""
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
        tensor.doc_string = ""
    return model


def _in_half_precision(model: onnx.ModelProto) -> bytes:
    """Large weights stored as float16; the runtime makes them float32 again once, when it loads them."""
    smaller = onnx.ModelProto()
    smaller.CopyFrom(model)
    graph = smaller.graph
    casts = []
    for tensor in graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _SMALL:
            continue
        name = tensor.name
        tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(smaller)
    content: bytes = smaller.SerializeToString(deterministic=True)
    return content


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, pictures: NDArray[np.float32]) -> None:
        self._left: Iterator[NDArray[np.float32]] = iter(np.split(pictures, len(pictures)))

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        batch = next(self._left, None)
        return None if batch is None else {INPUT: batch}


def _in_8_bits(model: onnx.ModelProto, pictures: NDArray[np.float32]) -> bytes:
    with tempfile.TemporaryDirectory() as folder, _quiet():
        whole, prepared, small = (str(Path(folder, f"{name}.onnx")) for name in ("whole", "prepared", "small"))
        onnx.save(model, whole)
        # Symbolic shapes fail on this graph; onnx's own inference is enough.
        quant_pre_process(whole, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            small,
            _Calibration(pictures),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            # Processors without VNNI add pairs of products in 16 bits, which would overflow.
            reduce_range=True,
            # The last steps decide where an edge lies, and cost nothing.
            nodes_to_exclude=_last_nodes(prepared),
        )
        quantised = _without_remarks(onnx.load(small))
    content: bytes = quantised.SerializeToString(deterministic=True)
    return content


def _last_nodes(path: str) -> Sequence[str]:
    graph = onnx.load(path).graph
    makers = {output: node for node in graph.node for output in node.output}
    names, wanted = [], [OUTPUT]
    while wanted:
        node = makers.get(wanted.pop())
        if node is not None:
            names.append(node.name)
            if node.op_type != "Conv":
                wanted += node.input
    return names


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's and the quantiser's advice, which is for their developers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
