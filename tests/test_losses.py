"""The losses against torch's own cross-entropy, closed forms, and their limits."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
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
