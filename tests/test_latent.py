"""Ways through the latent space and directions in it, against scipy, numpy and closed forms."""

import math

import numpy
import pytest
import torch
from scipy.spatial import geometric_slerp
from scipy.spatial.transform import Rotation, Slerp
from torch.optim.swa_utils import AveragedModel

from gan_lessons import latent, models

T = torch.linspace(0, 1, 9, dtype=torch.float64)


def unit(*shape):
    return torch.nn.functional.normalize(torch.randn(*shape, dtype=torch.float64), dim=-1)


def test_slerp_is_scipys_turn_between_two_rotations():
    a, b = unit(4), unit(4)
    if a @ b < 0:  # scipy turns the short way round, since q and -q are the same rotation
        b = -b
    expected = Slerp([0, 1], Rotation.from_quat([a.tolist(), b.tolist()]))(T.numpy()).as_quat()
    ours = latent.slerp(a, b, T).numpy()
    assert numpy.allclose(ours * numpy.sign((ours * expected).sum(1, keepdims=True)), expected, atol=1e-12)


@pytest.mark.parametrize("size", [2, 3, 100])
def test_slerp_is_scipys_arc_in_any_dimension(size):
    a, b = unit(size), unit(size)
    assert numpy.allclose(latent.slerp(a, b, T), geometric_slerp(a.numpy(), b.numpy(), T.numpy()), atol=1e-12)


def test_codes_of_one_length_keep_it_on_the_arc_and_lose_it_on_the_line():
    a, b = 10 * unit(100), 10 * unit(100)
    assert torch.allclose(latent.path(a, b, 9).norm(dim=1), torch.tensor(10.0, dtype=torch.float64))
    cosine = (a @ b / 100).item()
    middle = latent.path(a, b, 9, latent.lerp)[4].norm().item()
    assert middle == pytest.approx(10 * math.sqrt((1 + cosine) / 2))
    assert middle < 8.5


def test_lerp_is_torchs():
    a, b = torch.randn(5, 7), torch.randn(5, 7)
    assert torch.allclose(latent.lerp(a, b, 0.3), torch.lerp(a, b, 0.3))
    t = torch.rand(5)
    assert torch.allclose(latent.lerp(a, b, t), torch.lerp(a, b, t[:, None]))


@pytest.mark.parametrize("way", [latent.lerp, latent.slerp])
def test_a_batch_goes_the_way_of_each(way):
    a, b = torch.randn(5, 7), torch.randn(5, 7)
    whole = latent.path(a, b, 4, way)
    assert whole.shape == (4, 5, 7)
    for row in range(5):
        assert torch.allclose(whole[:, row], latent.path(a[row], b[row], 4, way), atol=1e-6)
    assert torch.allclose(whole[0], a, atol=1e-6) and torch.allclose(whole[-1], b, atol=1e-6)


def test_slerp_of_codes_that_point_the_same_way_is_the_line():
    a = torch.tensor([[1.0, 2.0], [3.0, 0.0]])
    b = torch.tensor([[2.0, 4.0], [0.0, 3.0]])
    halfway = latent.slerp(a, b, 0.5)
    assert torch.allclose(halfway, torch.tensor([[1.5, 3.0], [3 / math.sqrt(2), 3 / math.sqrt(2)]]))
    assert torch.allclose(latent.slerp(a, a, 0.7), a)


@pytest.mark.parametrize(
    ("a", "b", "says"),
    [
        ([0.0, 0.0], [1.0, 0.0], "zeros has no direction.*use lerp"),
        ([1.0, 0.0], [0.0, 0.0], "zeros has no direction"),
        ([1.0, 0.0], [-2.0, 0.0], "opposite ways.*use lerp"),
        ([1.0, 0.0], [1.0, 0.0, 0.0], r"shape \(2,\) and \(3,\)"),
    ],
)
def test_slerp_refuses_what_has_no_arc(a, b, says):
    with pytest.raises(ValueError, match=says):
        latent.slerp(torch.tensor(a), torch.tensor(b), 0.5)


def test_a_path_has_two_ends():
    with pytest.raises(ValueError, match="2 or more, not 1"):
        latent.path(torch.ones(2), torch.zeros(2), 1)


GENERATORS = {
    "mlp": lambda: models.mlp_generator(6, (1, 2, 2), (40,)),
    "conv": lambda: models.conv_generator(6, (3, 8, 8), 2),
    "average": lambda: AveragedModel(models.conv_generator(6, (3, 8, 8), 2)),
    "sixteen bits": lambda: models.Bfloat16(models.mlp_generator(6, (1, 2, 2), (40,))),
}


@pytest.mark.parametrize("make", GENERATORS.values(), ids=GENERATORS)
def test_principal_directions_are_numpys_singular_vectors(make):
    generator = make()
    # The oracle finds the matrix by itself: unit vectors pushed through the first layer.
    first = next(m for m in generator.modules() if isinstance(m, (torch.nn.Linear, torch.nn.ConvTranspose2d)))
    eye = torch.eye(6) if isinstance(first, torch.nn.Linear) else torch.eye(6)[:, :, None, None]
    matrix = first(eye).flatten(1).T.detach().numpy()
    _, _, expected = numpy.linalg.svd(matrix)
    directions = latent.principal_directions(generator, 4).numpy()
    assert numpy.allclose(abs((directions * expected[:4]).sum(1)), 1, atol=1e-4)
    assert numpy.allclose(directions @ directions.T, numpy.eye(4), atol=1e-5)
    assert (numpy.take_along_axis(directions, abs(directions).argmax(1)[:, None], 1) > 0).all()


def test_directions_come_strongest_first_and_all_of_them_when_the_layer_is_narrow():
    generator = torch.nn.Sequential(torch.nn.Linear(3, 2, bias=False))
    generator[0].weight.data = torch.tensor([[0.0, 5.0, 0.0], [2.0, 0.0, 0.0]])
    assert torch.allclose(latent.principal_directions(generator, 3), torch.eye(3)[[1, 0, 2]])


@pytest.mark.parametrize("n", [0, 7])
def test_there_are_as_many_directions_as_dimensions(n):
    with pytest.raises(ValueError, match=f"1 to 6 directions, not {n}"):
        latent.principal_directions(GENERATORS["mlp"](), n)


def test_a_generator_without_a_known_layer_is_refused():
    with pytest.raises(ValueError, match="A Tanh without a Linear or a ConvTranspose2d"):
        latent.first_layer(torch.nn.Tanh())


def planted(n, noise=0.0):
    """Codes and whether a planted direction passes a threshold in them, and the direction."""
    direction = torch.nn.functional.normalize(torch.randn(100), dim=0)
    z = torch.randn(n, 100)
    return z, z @ direction + noise * torch.randn(n) > 0.4, direction


@pytest.mark.parametrize(("n", "at_least"), [(24, 0.28), (200, 0.75), (5000, 0.98)])
def test_a_planted_direction_is_found(n, at_least):
    # Chance alone would give 0 ± 0.1 in 100 dimensions.
    cosines = [latent.linear_direction(z, has) @ direction for z, has, direction in (planted(n) for _ in range(20))]
    assert sum(cosines).item() / 20 > at_least


def test_a_linear_direction_is_the_ridge_regression_of_the_textbook():
    z, has, _ = planted(24)
    x = numpy.c_[z.double().numpy(), numpy.ones(24)]
    penalty = numpy.diag([100.0] * 100 + [0.0])  # the constant goes free
    expected = numpy.linalg.solve(x.T @ x + penalty, x.T @ has.double().numpy())[:100]
    found = latent.linear_direction(z.double(), has).numpy()
    assert numpy.allclose(found, expected / numpy.linalg.norm(expected))
    assert numpy.linalg.norm(found) == pytest.approx(1)


def test_a_mean_direction_is_the_difference_of_the_means():
    z = torch.tensor([[1.0, 0.0], [3.0, 2.0], [0.0, 5.0]])
    assert latent.mean_direction(z, torch.tensor([1, 1, 0])).tolist() == [2.0, -4.0]


@pytest.mark.parametrize("fit", [latent.mean_direction, latent.linear_direction])
@pytest.mark.parametrize(
    ("has", "says"),
    [
        ([True, True, True], "Of the 3 samples all have it"),
        ([False, False, False], "Of the 3 samples none have it"),
        ([True, False], r"not shapes \(3, 2\) and \(2,\)"),
    ],
)
def test_a_direction_needs_both_kinds(fit, has, says):
    with pytest.raises(ValueError, match=says):
        fit(torch.randn(3, 2), torch.tensor(has))
