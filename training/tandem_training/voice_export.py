"""A trained network of a voice -> TorchScript that runs anywhere: frozen, and in int8 where that is faster."""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from tandem_training.voice_data import Corpus

ACOUSTIC_METHODS: Final = ("plan", "decode", "context")
VOCODER_METHODS: Final = ("analyse", "excite", "shape", "synthesise", "context")
_ENOUGH: Final = 0.8
"""int8 is taken if it needs less than this share of the time, since it costs a little accuracy"""


@dataclass(frozen=True, slots=True)
class Exported:
    """One file, and what was measured on one thread."""

    content: bytes
    figures: Mapping[str, float | str]


def export(
    model: nn.Module,
    methods: Sequence[str],
    inputs: Sequence[tuple[Tensor, ...]],
    seconds: Callable[[Any], float],
) -> Exported:
    """The faster of float32 and int8; `seconds` says how much audio a result is."""
    candidates = {"float32": frozen(model, methods), "int8": frozen(quantised(model), methods)}
    rtf = {name: real_time_factor(content, inputs, seconds) for name, content in candidates.items()}
    kind = "int8" if rtf["int8"] < _ENOUGH * rtf["float32"] else "float32"
    figures: dict[str, float | str] = {"precision": kind, "megabytes": len(candidates[kind]) / 1e6}
    return Exported(candidates[kind], figures | {f"rtf_{name}": value for name, value in rtf.items()})


def frozen(model: nn.Module, methods: Sequence[str]) -> bytes:
    """TorchScript with its weights as constants; `methods` are kept beside `forward`."""
    scripted = torch.jit.script(model.eval())
    file = io.BytesIO()
    torch.jit.save(torch.jit.freeze(scripted, preserved_attrs=list(methods)), file)
    return file.getvalue()


def onnx_acoustic(model: nn.Module, inputs: tuple[Tensor, ...]) -> bytes:
    """The whole of `fastpros`, for any number of phones: what `forward` takes and gives, by name."""
    names = ["phones", "stress", "prosody", "known", "overrides"]
    axes = {name: {1: "phones"} for name in ("phones", "stress", "overrides")}
    return _onnx(torch.jit.script(model.eval()), inputs, names, ["mel", "frames", "durations", "pitch", "energy"], axes)


def onnx_vocoder(model: nn.Module, mel: Tensor) -> bytes:
    """The vocoder's network, `analyse`, for any number of frames; the signal processing after it is not in ONNX."""

    class Analyse(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.vocoder = model

        def forward(self, mel: Tensor) -> Any:
            return self.vocoder.analyse(mel)  # type: ignore[operator]

    return _onnx(Analyse().eval(), (mel,), ["mel"], ["hertz", "voicing", "harmonic", "noisy"], {"mel": {2: "frames"}})


def _onnx(
    model: nn.Module, inputs: tuple[Tensor, ...], names: list[str], found: list[str], axes: dict[str, dict[int, str]]
) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter that takes loops of TorchScript is the older one; it warns of that, and of constants it traced.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            inputs,
            file,  # type: ignore[arg-type]  # a file is as good to the older exporter
            input_names=names,
            output_names=found,
            dynamic_axes=axes,
            dynamo=False,
            opset_version=17,
        )
    return file.getvalue()


def quantised(model: nn.Module) -> nn.Module:
    """A copy whose dense layers are int8, with activations quantised as they come."""
    with warnings.catch_warnings():
        # All of torch's own quantisation is deprecated; what takes its place does not go into TorchScript.
        warnings.filterwarnings("ignore", "torch.ao.quantization is deprecated", DeprecationWarning)
        warnings.filterwarnings("ignore", "torch.quantize_per_tensor, torch.quantize_per_channel", UserWarning)
        found: nn.Module = torch.ao.quantization.quantize_dynamic(model.eval(), {nn.Linear}, dtype=torch.qint8)
    return found


@torch.no_grad()
def real_time_factor(
    content: bytes, inputs: Sequence[tuple[Tensor, ...]], seconds: Callable[[Any], float], rounds: int = 3
) -> float:
    """CPU seconds per second of audio, the best of some rounds."""
    model = torch.jit.load(io.BytesIO(content))
    spoken = sum(seconds(model(*one)) for one in inputs)
    best = float("inf")
    for _ in range(rounds):
        begun = time.process_time()
        for one in inputs:
            model(*one)
        best = min(best, time.process_time() - begun)
    return best / max(spoken, 1e-9)


def about(corpus: Corpus) -> tuple[str, tuple[str, ...]]:
    """What a card says of the data, and the notices that stay with the weights."""
    known = corpus.about
    counts = ", ".join(f"{len(corpus.split(name))} {name}" for name in ("train", "valid", "test"))
    notices = known.get("notices", ())
    texts = (notices,) if isinstance(notices, str) else tuple(str(one) for one in notices)
    return f"Teacher: {known.get('teacher', 'unknown')}. Utterances with their augmented copies: {counts}.", texts
