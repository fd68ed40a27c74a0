"""A pretended GPU: CPU tensors that carry a mark, and the rules by which a real device would complain.

`install("cuda")` or `install("mps")` makes this process believe that it has one. It sees tensors of two devices in one call,
a generator of another device than its tensor, numpy arrays made of the device's tensors, CPU tensors indexed by them, and
float64 on mps. It knows nothing of speed, memory formats or kernels. Complaints are collected and not raised, so that one run
shows them all. Because it replaces functions of torch for good, it belongs into a process of its own.
"""

import functools
import traceback
from collections import Counter
from pathlib import Path

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

MOVES = ("to", "cpu", "cuda", "mps")
# These copy from one device to the other, or only look at a shape or a type.
MAY_MIX = (
    "copy_",
    "__set__",
    "__deepcopy__",
    "_has_compatible_shallow_copy_type",
    "expand_as",
    "view_as",
    "reshape_as",
    "type_as",
)
DOUBLE = (torch.float64, torch.complex128)


def is_marked(tensor: Tensor) -> bool:
    return "pretended" in tensor.__dict__


def mark(tensor: Tensor, on_device: bool) -> None:
    if on_device:
        tensor.pretended = True
    else:
        tensor.__dict__.pop("pretended", None)


def tensors_in(thing) -> list[Tensor]:
    if isinstance(thing, Tensor):
        return [thing]
    if isinstance(thing, dict):
        thing = thing.values()
    elif not isinstance(thing, (list, tuple)):
        return []
    return [tensor for part in thing for tensor in tensors_in(part)]


class Generator(torch.Generator):
    """A generator of the CPU that calls itself one of the device it was asked for."""

    def __new__(cls, device="cpu"):
        generator = super().__new__(cls)
        generator.pretended = torch.device(device)
        return generator

    @property
    def device(self) -> torch.device:
        return self.pretended


class PretendedGPU(TorchFunctionMode):
    """Every call of torch passes through here. `complaints` counts what a real device would have refused, with the place."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.device, self.complaints = kind, torch.device(kind, 0), Counter()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name, kwargs = func.__name__, dict(kwargs or {})
        if name == "__get__":
            return self._attribute(func, args)
        if name in MOVES and args and isinstance(args[0], Tensor):
            return self._moved(name, args, kwargs)
        inputs = tensors_in((args, kwargs))
        on_device = any(map(is_marked, inputs))
        if kwargs.get("device") is not None:
            on_device, kwargs["device"] = torch.device(kwargs["device"]).type == self.kind, "cpu"
        elif name in ("tensor", "as_tensor") and not isinstance(args[0], Tensor):
            on_device = False  # numbers of the device become a tensor of the CPU
        else:
            self._check(name, args, inputs)
        self._check_generator(kwargs.get("generator"), on_device)
        out = func(*args, **kwargs)
        if name == "__set__" and func.__self__.__name__ == "data":
            mark(args[0], is_marked(args[1]))
        if name == "__iter__":
            parts = list(out)
            self._mark_all(parts, on_device, inputs)
            return iter(parts)
        self._mark_all(out, on_device, inputs)
        return out

    def _attribute(self, func, args):
        name, tensor = func.__self__.__name__, args[0]
        if name == "device":
            return self.device if is_marked(tensor) else torch.device("cpu")
        if name in ("is_cpu", "is_cuda", "is_mps"):
            return name == f"is_{self.kind if is_marked(tensor) else 'cpu'}"
        out = func(*args)
        self._mark_all(out, is_marked(tensor), [tensor])
        return out

    def _moved(self, name, args, kwargs):
        tensor, *rest = args
        on_device, dtype, layout = name != "cpu", None, None
        if rest and isinstance(rest[0], Tensor):
            on_device, dtype = is_marked(rest[0]), rest[0].dtype
        elif name == "to":
            options = {key: value for key, value in kwargs.items() if key != "copy"}
            device, dtype, _, layout = torch._C._nn._parse_to(*rest, **options)
            on_device = is_marked(tensor) if device is None else device.type == self.kind
        copy = kwargs.get("copy", False) or on_device != is_marked(tensor)
        out = Tensor.to(tensor, dtype or tensor.dtype, copy=copy, memory_format=layout or torch.preserve_format)
        self._mark_all(out, on_device, [tensor])
        return out

    def _mark_all(self, out, on_device: bool, inputs: list[Tensor]) -> None:
        for tensor in tensors_in(out):
            if not any(tensor is known for known in inputs):  # what was changed in place stays where it is
                mark(tensor, on_device)
            if self.kind == "mps" and is_marked(tensor) and tensor.dtype in DOUBLE:
                self._complain(f"mps knows no {tensor.dtype}")

    def _check(self, name: str, args: tuple, inputs: list[Tensor]) -> None:
        marked = [is_marked(tensor) for tensor in inputs]
        if not any(marked) or name in MAY_MIX:
            return
        if name in ("numpy", "__array__"):
            self._complain("a numpy array is made of a tensor on the device")
        elif name in ("__getitem__", "__setitem__"):
            if not is_marked(args[0]) and any(map(is_marked, tensors_in(args[1]))):
                self._complain("a tensor on the CPU is indexed by one on the device")
        elif any(not on_device and tensor.dim() for on_device, tensor in zip(marked, inputs)):  # a single number may come along
            self._complain(f"{name} gets tensors of the CPU and of the device")

    def _check_generator(self, generator: torch.Generator | None, on_device: bool) -> None:
        if generator is not None and (generator.device.type == self.kind) != on_device:
            self._complain(f"a generator of {generator.device.type} draws for the other device")

    def _complain(self, what: str) -> None:
        calls = [call for call in traceback.extract_stack() if "torch" not in call.filename and call.filename != __file__]
        places = (f"{Path(call.filename).name}:{call.lineno}" for call in reversed(calls[-2:]))
        self.complaints[f"{what}: {', called from '.join(places)}"] += 1


def install(kind: str) -> PretendedGPU:
    """Make this process believe that it has a GPU of this kind, "cuda" or "mps", from now on."""
    import torch._dynamo  # it looks through torch's functions when it is loaded, and must find the real ones

    torch.cuda.is_available = lambda: kind == "cuda"
    torch.backends.mps.is_available = lambda: kind == "mps"
    torch.cuda.get_device_name = lambda *device: "pretended GPU"
    module = torch.get_device_module(kind)
    module.get_rng_state = lambda *device: torch.zeros(16, dtype=torch.uint8)
    module.set_rng_state = module.manual_seed = module.manual_seed_all = module.synchronize = lambda *ignored: None
    for check in ("_accelerator_graph_capture_health_check", "_cuda_graph_capture_health_check"):
        setattr(torch.optim.Optimizer, check, lambda optimizer: None)
    torch.Generator = Generator
    make = Tensor._make_subclass  # parameters are made by it, past every mode

    @functools.wraps(make)
    def made(cls, data, *options):
        tensor = make(cls, data, *options)
        mark(tensor, is_marked(data))
        return tensor

    Tensor._make_subclass = staticmethod(made)
    gpu = PretendedGPU(kind)
    gpu.__enter__()
    return gpu
