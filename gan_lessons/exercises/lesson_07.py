"""The checks of lesson 07, a DCGAN on digits."""

import copy
import itertools
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose1d
from torch.utils._python_dispatch import TorchDispatchMode

from gan_lessons.exercises import Answer, Hint, described, exercise, number, tensor


@exercise(
    "Where does the last of n stamps begin, where does it end, and what is cut off then?",
    "draw two stamps on paper: where does the second begin, and where does it end? How many such steps are there with n stamps?",
)
def check_size_after(size_after) -> str:
    """size_after(n, kernel, stride, padding): pixels a side after a transposed convolution."""
    # In the first case every mistake that has a hint gives another number.
    cases = ((6, 8, 5, 2), (5, 5, 3, 1), (7, 4, 2, 1), (1, 3, 1, 0), (3, 4, 2, 1), (5, 3, 2, 0), (14, 5, 3, 2), (8, 2, 2, 0))
    for n, kernel, stride, padding in cases:
        stamps = conv_transpose1d(torch.zeros(1, 1, n), torch.zeros(1, 1, kernel), stride=stride, padding=padding)
        found, wanted = number(size_after(n, kernel, stride, padding)), stamps.shape[-1]
        where = f"For n = {n}, kernel {kernel}, stride {stride}, padding {padding} you have {found:g}, torch has {wanted}. "
        if found == wanted:
            continue
        if found == stride * n + kernel - 2 * padding:
            raise Hint(where + "n stamps have n - 1 steps between them.")
        if found in ((n + 2 * padding - kernel) // stride + 1, (n + 2 * padding - kernel) / stride + 1):
            raise Hint(where + "That is the size after an ordinary convolution.")
        if padding and found == stride * (n - 1) + kernel + 2 * padding:
            raise Hint(where + "Padding makes a convolution's image larger; here it cuts.")
        if padding and found == stride * (n - 1) + kernel - padding:
            raise Hint(where + "Padding cuts at both ends.")
        if padding and found == stride * (n - 1) + kernel:
            raise Hint(where + "The padding has not been cut off.")
        raise Hint(where + "Draw the stamps for n = 2 on paper.")
    return "With kernel 4, stride 2 and padding 1 it is 2n, the doubling of every layer of G."


@exercise(
    "How many numbers does the result have, what do they hold before the first stamp, and what happens where two stamps overlap?",
    "begin with a row of zeros that is long enough; from where to where does the stamp of number i reach, and what may lie there already?",
)
def check_stamp_line(stamp_line) -> str:
    """stamp_line(signal, kernel, stride): the transposed convolution of one row of numbers."""
    random = torch.Generator().manual_seed(7)
    for n, k, stride in ((1, 3, 1), (4, 2, 2), (5, 4, 2), (3, 2, 3), (6, 3, 1)):
        signal, kernel = torch.randn(n, generator=random), torch.randn(k, generator=random)
        found, wanted = tensor(stamp_line(signal, kernel, stride)), _stamped(signal, kernel, stride)
        if stamp_line.changed:
            raise Hint("Your function changes the signal or the kernel it was given; make a new row of zeros instead.")
        where = f"For n = {n}, k = {k}, stride {stride}: "
        if found.dim() != 1:
            raise Hint(where + f"the result has shape {tuple(found.shape)}; it should be one row of numbers.")
        if len(found) != len(wanted):
            raise Hint(where + f"the result has {len(found)} numbers; stride·(n - 1) + k are {len(wanted)}.")
        if torch.allclose(found, wanted, atol=1e-5):
            continue
        if torch.allclose(found, _stamped(signal, kernel.flip(0), stride), atol=1e-5):
            raise Hint(where + "the stamps are mirrored. A stamp prints the kernel as it is.")
        if torch.allclose(found, _overwritten(signal, kernel, stride), atol=1e-5):
            raise Hint(where + "later stamps cover earlier ones. Where they overlap they must add up: += instead of =.")
        raise Hint(where + f"the numbers differ from torch's, by up to {(found - wanted).abs().max():.2g}.")
    return "The same numbers as torch's conv_transpose1d, with strides that overlap and strides that leave gaps."


def _stamped(signal: Tensor, kernel: Tensor, stride: int) -> Tensor:
    return conv_transpose1d(signal[None, None], kernel[None, None], stride=stride)[0, 0].double()


def _overwritten(signal: Tensor, kernel: Tensor, stride: int) -> Tensor:
    result = torch.zeros(stride * (len(signal) - 1) + len(kernel), dtype=torch.float64)
    for i, value in enumerate(signal):
        result[stride * i : stride * i + len(kernel)] = value * kernel
    return result


@exercise(
    "Which kinds of layer does the rule speak of, which of their numbers does it set, and how do you reach those inside other networks?",
    "for layer in network.modules(): if it is an nn.Conv2d or an nn.ConvTranspose2d, nn.init.normal_(layer.weight, 0, 0.02).",
    returns_nothing=True,
)
def check_dcgan_weights(dcgan_weights) -> str:
    """dcgan_weights(network): draw DCGAN's initial weights, in place."""
    # So many channels that the spread of a right answer's draws stays within the bounds below but for one answer in a thousand million.
    convolution, norm, dense = nn.Conv2d(3, 512, 4), nn.BatchNorm2d(512), nn.Linear(5, 5)
    inner_convolution, inner_norm = nn.ConvTranspose2d(512, 512, 1), nn.BatchNorm2d(512)
    for each in (norm, inner_norm):
        nn.init.constant_(each.bias, 3.0)
    kept, kept_inner, kept_dense = copy.deepcopy(convolution), copy.deepcopy(inner_convolution), copy.deepcopy(dense)
    dcgan_weights(
        nn.Sequential(convolution, norm, nn.LeakyReLU(0.2), nn.Sequential(inner_convolution, inner_norm, nn.ReLU()), dense)
    )
    if torch.equal(convolution.weight, kept.weight) and not torch.equal(inner_convolution.weight, kept_inner.weight):
        raise Hint("A transposed convolution has changed, but the ordinary one is as it was: nn.Conv2d belongs to the rule, too.")
    if torch.equal(convolution.weight, kept.weight):
        raise Hint("The weights of the convolution are what they were: change the network that you are given, in place.")
    _judge_weights("convolution", convolution.weight)
    _judge_weights("transposed convolution, which lies inside another network,", inner_convolution.weight)
    _judge_norm(norm)
    _judge_norm(inner_norm)
    if not (torch.equal(dense.weight, kept_dense.weight) and torch.equal(dense.bias, kept_dense.bias)):
        raise Hint("A dense layer has changed, too; DCGAN's rule is about convolutions and batch normalisation.")
    return "Weights around 0, scales around 1, shifts at 0, in networks within networks as well."


def _judge_weights(name: str, weights: Tensor) -> None:
    mean, std = weights.mean().item(), weights.std().item()
    if abs(std - 0.02**2) < 2e-4:
        raise Hint("0.02² is the variance; nn.init.normal_ wants the standard deviation, 0.02.")
    if not (abs(mean) < 0.001 and abs(std - 0.02) < 0.001):
        raise Hint(f"The weights of the {name} have mean {mean:.3f} and standard deviation {std:.3f}; wanted are 0 and 0.02.")


def _judge_norm(norm: nn.BatchNorm2d) -> None:
    mean, std = norm.weight.mean().item(), norm.weight.std().item()
    if abs(mean) < 0.1:
        raise Hint(
            "The scales of batch normalisation lie around 0: they would multiply every signal by next to nothing. Around 1."
        )
    if not (abs(mean - 1) < 0.006 and abs(std - 0.02) < 0.004):
        raise Hint(
            f"The scales of a batch normalisation have mean {mean:.3f} and standard deviation {std:.3f}; wanted are 1 and 0.02."
        )
    if norm.bias.abs().max() > 0:
        raise Hint("The shifts (bias) of batch normalisation should be 0.")


_BATCH = 8


class _Call(NamedTuple):
    name: str
    arguments: tuple
    went_in: Tensor
    came_out: Tensor

    @property
    def is_stamp(self) -> bool:
        """Whether it is a transposed convolution."""
        return self.name == "convolution" and self.arguments[6]

    @property
    def is_norm(self) -> bool:
        """Whether it is a batch normalisation (to torch that of single images is one too, of a batch of one)."""
        return "batch_norm" in self.name and len(self.arguments[0]) == _BATCH


def _copy(value) -> Tensor:
    return value.clone() if isinstance(value, Tensor) else torch.empty(0)


class _Record(TorchDispatchMode):
    """Writes down what a network computes, whichever way it is written: as layers, as functions, or one layer used twice.

    `calls` are the operations in order: torch's name, the arguments, and copies of the first argument and of the result.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[_Call] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        went_in = _copy(args[0] if args else None)  # before an operation in place changes it
        result = func(*args, **(kwargs or {}))
        self.calls.append(_Call(func.overloadpacket.__name__, args, went_in, _copy(result)))
        return result


@exercise(
    "How many times must 4×4 be doubled to be 32×32, and which lines of digit_generator are about sizes and colours?",
    "from 1×1 to 4×4, then doubled three times: 8, 16, 32. Copy digit_generator, and see which lines must change.",
)
def check_colour_generator(colour_generator) -> str:
    """colour_generator(): a generator of 3×32×32 images by DCGAN's guidelines, however it is written."""
    generator = colour_generator()
    if not isinstance(generator, nn.Module):
        raise Hint("colour_generator should return a network, for example an nn.Sequential.")
    parameters = list(generator.parameters())
    if not parameters:
        raise Hint("The network has no parameters, so there is nothing in it to train.")
    z = 10 * torch.randn(_BATCH, 100).to(parameters[0])
    with torch.no_grad(), _Record() as record:
        images = Answer(generator)(z)
    _judge_operations(record.calls)
    if not isinstance(images, Tensor) or tuple(images.shape) != (_BATCH, 3, 32, 32):
        raise Hint(f"For {_BATCH} latent vectors it gives {described(images)}, not ({_BATCH}, 3, 32, 32): sizes 1, 4, 8, 16, 32.")
    _judge_end(record.calls, images)
    _judge_between(record.calls)
    return f"A DCGAN generator with {sum(parameter.numel() for parameter in parameters)} parameters."


def _judge_operations(calls: list[_Call]) -> None:
    """A Hint for operations that DCGAN's guidelines do without."""
    names = {call.name for call in calls}
    if names & {"mm", "addmm", "bmm", "baddbmm", "linear"}:
        raise Hint("There is a dense layer in it. Begin with nn.Unflatten(1, (100, 1, 1)) and stamp z itself.")
    if any("pool" in name for name in names):
        raise Hint("There is a pooling layer in it. DCGAN has none: strides alone change the size.")
    if not any(call.is_stamp for call in calls):
        raise Hint("There is no transposed convolution in it.")
    for call in calls:
        if call.is_stamp and call.went_in.shape[2:].numel() > 1:
            for kernel, stride in zip(call.arguments[1].shape[2:], call.arguments[3]):
                if kernel % stride:
                    raise Hint(f"Kernel {kernel} with stride {stride} makes a checkerboard: the stride must divide the kernel.")


def _judge_end(calls: list[_Call], images: Tensor) -> None:
    """A Hint where the images are not the tanh of what the last convolution gives."""
    last = max(place for place, call in enumerate(calls) if call.name == "convolution")
    if any(call.is_norm for call in calls[last:]):
        raise Hint(
            "G's last layer is normalised: an image's brightness would hang on the rest of its batch. "
            "Leave batch normalisation out there."
        )
    came_out = calls[last].came_out.cpu()
    if images.shape != came_out.shape:
        raise Hint(f"After the last convolution the images are made from {tuple(came_out.shape[2:])} to {tuple(images.shape[2:])} "
                   "pixels, as nn.Upsample does: let the strides of transposed convolutions change the size.")  # fmt: skip
    if not torch.allclose(images, came_out.tanh(), atol=1e-4):
        raise Hint("The images are not the tanh of what the last convolution gives: one tanh, and nothing else, should come after it, "
                   "so that they lie in [-1, 1].")  # fmt: skip


def _judge_between(calls: list[_Call]) -> None:
    """A Hint where a batch normalisation or a ReLU is missing between two transposed convolutions."""
    stamps = [place for place, call in enumerate(calls) if call.is_stamp]
    for layer, (before, after) in enumerate(itertools.pairwise(stamps), start=1):
        where = f"Between transposed convolutions {layer} and {layer + 1} "
        if not any(call.is_norm for call in calls[before:after]):
            raise Hint(where + "there is no batch normalisation: each but the last should have one.")
        arrives = calls[after].went_in
        if arrives.min() < 0 or arrives.count_nonzero() == arrives.numel():
            raise Hint(where + "there is no ReLU at the end: in G one follows each normalisation (LeakyReLU is for D).")
