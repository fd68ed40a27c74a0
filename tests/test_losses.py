"""The losses against torch's own cross-entropy, closed forms, and their limits."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import mse_loss

from gan_lessons import losses

logits = st.lists(st.floats(-60, 60), min_size=1, max_size=20).map(lambda x: torch.tensor(x, dtype=torch.float64))


@given(real=logits, fake=logits)
@settings(deadline=None)
def test_discriminator_minimises_torchs_cross_entropy(real, fake):
    expected = bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
    torch.testing.assert_close(losses.cross_entropy_discriminator(real, fake), expected)


@given(fake=logits)
@settings(deadline=None)
def test_generators_against_torchs_cross_entropy(fake):
    torch.testing.assert_close(losses.non_saturating_generator(fake), bce(fake, torch.ones_like(fake)))
    torch.testing.assert_close(losses.saturating_generator(fake), -bce(fake, torch.zeros_like(fake)))


@given(real=logits, fake=logits)
@settings(deadline=None)
def test_least_squares_against_torchs_mse(real, fake):
    expected = (mse_loss(real, torch.ones_like(real)) + mse_loss(fake, torch.zeros_like(fake))) / 2
    torch.testing.assert_close(losses.least_squares_discriminator(real, fake), expected)
    torch.testing.assert_close(losses.least_squares_generator(fake), mse_loss(fake, torch.ones_like(fake)) / 2)


def test_values_where_the_discriminator_cannot_tell():
    undecided = torch.zeros(5)
    assert losses.cross_entropy_discriminator(undecided, undecided).item() == pytest.approx(math.log(4))
    assert losses.non_saturating_generator(undecided).item() == pytest.approx(math.log(2))
    assert losses.saturating_generator(undecided).item() == pytest.approx(-math.log(2))


def test_gradient_by_the_logit_is_what_the_closed_form_says():
    # d/da softplus(-a) = sigmoid(a) - 1 and d/da -softplus(a) = -sigmoid(a): where D is sure that an image is
    # fake (a very negative), the first stays at -1 and the second vanishes.
    for value in (-20.0, -1.0, 0.0, 3.0):
        a = torch.tensor([value], dtype=torch.float64, requires_grad=True)
        probability = 1 / (1 + math.exp(-value))
        (gradient,) = torch.autograd.grad(losses.non_saturating_generator(a), a)
        assert gradient.item() == pytest.approx(probability - 1, abs=1e-12)
        (gradient,) = torch.autograd.grad(losses.saturating_generator(a), a)
        assert gradient.item() == pytest.approx(-probability, abs=1e-12)


def test_huge_logits_stay_finite():
    huge = torch.tensor([1e4, -1e4])
    for pair in (losses.minimax, losses.non_saturating):
        assert pair.discriminator(huge, huge).isfinite() and pair.generator(huge).isfinite()
    assert losses.relativistic.discriminator(huge, -huge).item() == losses.relativistic.generator(huge, -huge).item() == 1e4


@given(pairs=st.lists(st.tuples(st.floats(-60, 60), st.floats(-60, 60)), min_size=1, max_size=20))
@settings(deadline=None)
def test_relativistic_losses_against_torchs_cross_entropy_of_the_differences(pairs):
    real, fake = torch.tensor(pairs, dtype=torch.float64).unbind(1)
    ones = torch.ones_like(real)
    torch.testing.assert_close(losses.relativistic_discriminator(real, fake), bce(real - fake, ones))
    torch.testing.assert_close(losses.relativistic_generator(fake, real), bce(fake - real, ones))
    # What is added to all logits changes nothing: only differences count.
    torch.testing.assert_close(losses.relativistic_discriminator(real + 7, fake + 7), bce(real - fake, ones))


def test_the_first_argument_of_each_generators_loss_is_what_it_wants_to_raise():
    for pair in (losses.minimax, losses.non_saturating, losses.least_squares, losses.relativistic):
        fake = torch.zeros(3, requires_grad=True)
        (slope,) = torch.autograd.grad(pair.generator(*([fake, torch.zeros(3)] if pair.relative else [fake])), fake)
        assert (slope < 0).all()


@pytest.fixture
def linear():
    """D(x) = w·x + b, whose slope is w everywhere."""
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 1), nn.Flatten(0)).double()


def test_penalties_of_a_linear_discriminator_are_those_of_its_weights(linear):
    real, fake = torch.randn(2, 5, 3, 2, 2, dtype=torch.float64)
    weight = linear[1].weight
    half = weight.square().sum() / 2
    for penalty, wanted in ((losses.r1, half), (losses.r1_r2, 2 * half)):
        found = penalty(linear, real, fake)
        torch.testing.assert_close(found, wanted)
        # d(|w|² / 2) / dw = w
        (slope,) = torch.autograd.grad(found, weight)
        torch.testing.assert_close(slope, weight * (wanted / half).detach())


def test_penalties_of_a_square_discriminator_are_means_over_the_images():
    """D(x) = |x|² / 2 has the slope x: the penalty is half the mean of |x|²; R2 looks at the fakes, R1 does not."""
    real, fake = torch.randn(2, 5, 3, 2, 2, dtype=torch.float64)

    def discriminator(images):
        return images.square().flatten(1).sum(1) / 2

    squares = [images.square().flatten(1).sum(1).mean() / 2 for images in (real, fake)]
    torch.testing.assert_close(losses.r1(discriminator, real, fake), squares[0])
    torch.testing.assert_close(losses.r1_r2(discriminator, real, fake), sum(squares))


def test_penalties_leave_no_gradient_and_keep_nothing_of_the_graph_the_fakes_hang_on():
    """D bends, so that its slopes depend on the images: through them a gradient could reach what made the fakes."""
    bent = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.Tanh(), nn.Linear(4, 1), nn.Flatten(0))
    parent, real = torch.randn(4, 3, 2, 2, requires_grad=True), torch.randn(4, 3, 2, 2)
    losses.r1_r2(bent, real, parent * 2).backward()
    assert parent.grad is None and not real.requires_grad and real.grad is None
    assert bent[1].weight.grad.abs().max() > 0
