"""Sampling and density of each toy are held against each other; the modes are counted as defined."""

import math

import numpy
import pytest
import torch
from scipy import stats

from gan_lessons import toys

BY_CHANCE = 1e-4  # of nine such tests on good samples, one in eleven hundred fails for a new generator of random numbers
LINE = torch.linspace(-6, 6, 6001, dtype=torch.float64)
ONE_D = {
    "bump": lambda: toys.bump(1.0, 0.5),
    "two bumps": lambda: toys.two_bumps(),
    "uneven bumps": lambda: toys.two_bumps((-2.0, 0.5), std=0.4, left=0.2),
}
RINGS = {"eight": lambda: toys.ring(), "five": lambda: toys.ring(5, 1.5, 0.3), "one": lambda: toys.ring(1, 1.0, 0.4)}


def cumulative(x, density):
    """The CDF at x, by the trapezium rule, as a function: it does not come from the library that samples."""
    values = torch.cat([torch.zeros(1, dtype=x.dtype), torch.cumulative_trapezoid(density, x)])
    return lambda points: numpy.interp(points, x.numpy(), values.numpy())


def plane(distribution, step=0.02):
    """A grid of the plane, and the distribution's density on it."""
    axis = torch.arange(-4, 4 + step / 2, step)
    points = torch.cartesian_prod(axis, axis)
    return axis, distribution.log_prob(points.to(toys.runtime.device())).exp().cpu().double().reshape(len(axis), len(axis))


@pytest.mark.parametrize("name", ONE_D)
def test_samples_on_the_line_follow_the_density(name):
    distribution = ONE_D[name]()
    density = distribution.log_prob(LINE.float().to(toys.runtime.device())).exp().cpu().double()
    assert torch.trapezoid(density, LINE).item() == pytest.approx(1, abs=1e-4)
    samples = distribution.sample((4000, 1))
    assert samples.shape == (4000, 1) and samples.device.type == toys.runtime.device().type
    assert stats.kstest(samples.flatten().cpu().numpy(), cumulative(LINE, density)).pvalue > BY_CHANCE


@pytest.mark.parametrize("name", RINGS)
def test_samples_of_the_ring_follow_the_density(name):
    distribution = RINGS[name]()
    axis, density = plane(distribution)
    assert (density.sum() * 0.02**2).item() == pytest.approx(1, abs=1e-3)
    samples = distribution.sample((4000,)).cpu()
    assert samples.shape == (4000, 2)
    for column, other in ((0, 1), (1, 0)):
        marginal = torch.trapezoid(density, axis.double(), dim=other)
        assert stats.kstest(samples[:, column].numpy(), cumulative(axis.double(), marginal)).pvalue > BY_CHANCE


@pytest.mark.parametrize("name", RINGS)
def test_the_rings_radius_follows_the_density(name):
    distribution = RINGS[name]()
    radius = torch.linspace(0, 4, 801)
    angle = torch.linspace(0, 2 * math.pi, 361)[:-1]
    points = radius[:, None, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
    density = distribution.log_prob(points.to(toys.runtime.device())).exp().cpu().double().mean(dim=1)
    around = 2 * math.pi * radius.double() * density
    assert (
        stats.kstest(distribution.sample((4000,)).norm(dim=1).cpu().numpy(), cumulative(radius.double(), around)).pvalue
        > BY_CHANCE
    )


def test_ring_centres_are_evenly_spaced_on_the_circle():
    centres = toys.ring_centres(8, 2.0).cpu()
    assert centres[0].tolist() == [2, 0] and torch.allclose(centres[2], torch.tensor([0.0, 2.0]), atol=1e-6)
    assert torch.allclose(centres.norm(dim=1), torch.full((8,), 2.0))
    steps = (centres - centres.roll(1, 0)).norm(dim=1)
    assert torch.allclose(steps, steps[:1].expand(8), atol=1e-5)


def test_every_mode_of_the_ring_is_equally_likely():
    for within in (2.0, 3.0):
        shares = toys.mode_shares(toys.ring().sample((8000,)), toys.ring_centres(), std=0.15, within=within)
        expected = 1 - math.exp(-(within**2) / 2)  # P(distance <= within · std) in 2-D
        assert shares.sum().item() == pytest.approx(expected, abs=0.02)
        assert shares.min() > 0.88 * expected / 8 and shares.max() < 1.12 * expected / 8


def test_mode_shares_counts_near_samples_for_their_nearest_centre():
    centres = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    samples = torch.tensor([[0.0, 0.1], [0.4, 0.0], [0.6, 0.0], [1.0, 0.19], [1.0, 0.21], [5.0, 5.0], [1.0, 0.0], [0.0, 0.0]])
    assert toys.mode_shares(samples, centres, std=0.1).tolist() == [0.25, 0.25]
    assert toys.mode_shares(samples, centres, std=0.1, within=4.5).tolist() == [0.375, 0.5]


@pytest.mark.parametrize("dimensions", [1, 2, 5])
@pytest.mark.parametrize("within", [1.0, 2.0, 3.0])
def test_the_share_of_the_data_is_that_of_the_chi_squared_distribution(within, dimensions):
    expected = stats.chi2.cdf(within**2, dimensions) / 7
    assert toys.share_of_the_data(7, within, dimensions) == pytest.approx(expected, rel=1e-9)


def heaps(counts, of):
    """So many samples exactly at each of a ring's centres, and far away as many as are missing to `of`."""
    at = [centre.repeat(count, 1) for centre, count in zip(toys.ring_centres(len(counts)), counts)]
    return torch.cat([*at, torch.full((of - sum(counts), 2), 9.0, device=at[0].device)])


def test_a_mode_is_covered_from_sixty_percent_of_the_datas_share_on():
    """With 8 modes the data has (1 - exp(-2)) / 8 = 10.81 % of its points at each, and 60 % of that is 6.485 %."""
    samples = heaps([648, 649, 0, 1081, 64, 2000, 600, 700], of=10_000)
    assert toys.modes_covered(samples, toys.ring_centres(), std=0.15) == 4  # 649, 1081, 2000 and 700
    assert toys.modes_covered(samples, toys.ring_centres(), std=0.15, least=1.0) == 2  # 1081 (1080.8 are asked) and 2000
    assert toys.modes_covered(samples, toys.ring_centres(), std=0.15, least=0.05) == 7  # 64 are enough, none are not
    assert toys.modes_covered(torch.full((3, 2), math.nan), toys.ring_centres().cpu(), std=0.15) == 0


@pytest.mark.parametrize(("modes", "radius", "std"), [(8, 2.0, 0.15), (6, 1.5, 0.1)])
def test_the_data_passes_the_yardstick_and_a_thin_circle_and_one_point_do_not(modes, radius, std):
    centres = toys.ring_centres(modes, radius)
    rows = toys.ring_references(4000, modes, radius, std)
    covered = {name: toys.modes_covered(points, centres, std) for name, points in rows.items()}
    assert covered == {"the data": modes, "a thin circle": 0, "one point": 1}
    at_modes = {name: toys.mode_shares(points, centres, std).sum().item() for name, points in rows.items()}
    # the circle within a distance of 2 std from a centre is an arc: its half angle is 2 asin(std / radius)
    arc = modes * 4 * math.asin(std / radius) / (2 * math.pi)
    assert at_modes == {
        "the data": pytest.approx(1 - math.exp(-2), abs=0.025),
        "a thin circle": pytest.approx(arc, abs=0.005),
        "one point": 1,
    }


def test_a_wider_band_around_the_circle_does_not_pass_either():
    angles = toys.ring_centres(4000, 1.0)
    for spread in (0.05, 0.15, 0.3):
        radii = torch.distributions.Normal(2.0, spread).sample((4000, 1)).to(angles.device)
        assert toys.modes_covered(radii * angles, toys.ring_centres(), std=0.15) == 0


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: toys.bump(std=0), "std is a finite number above 0, not 0"),
        (lambda: toys.two_bumps(std=-1), "std is .* not -1"),
        (lambda: toys.two_bumps((0.0, 1.0, 2.0)), "two means, not 3"),
        (lambda: toys.two_bumps(left=1.0), "left is a probability"),
        (lambda: toys.ring(modes=0), "at least 1, not 0"),
        (lambda: toys.ring(modes=2.5), "whole number of modes"),
        (lambda: toys.ring(radius=-1), "radius is"),
        (lambda: toys.ring(std=math.nan), "std is"),
        (lambda: toys.mode_shares(torch.zeros(3), torch.zeros(8, 2), 0.1), r"samples of shape N×d .* got \(3,\)"),
        (lambda: toys.mode_shares(torch.zeros(0, 2), torch.zeros(8, 2), 0.1), "N at least 1"),
        (lambda: toys.mode_shares(torch.zeros(3, 2), torch.zeros(8, 2), 0.1, within=0), "within is"),
        (lambda: toys.ring_references(0), "at least 1 point, not 0"),
        (lambda: toys.modes_covered(torch.zeros(3, 2), torch.zeros(8, 2), 0.1, least=0), "least is a fraction"),
    ],
)
def test_wrong_input_is_refused_with_its_reason(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_bumps_are_where_they_are_asked_for():
    assert toys.bump(1.0, 0.5).mean.item() == 1 and toys.bump(1.0, 0.5).stddev.item() == 0.5
    uneven = toys.two_bumps((-2.0, 0.5), std=0.4, left=0.2)
    assert uneven.mean.item() == pytest.approx(0.2 * -2.0 + 0.8 * 0.5, abs=1e-6)
    assert uneven.component_distribution.stddev.tolist() == pytest.approx([0.4, 0.4])
