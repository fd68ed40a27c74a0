import pytest
import torch
from torch import nn

from gan_lessons import models


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 8, 6)])
@pytest.mark.parametrize("latent_size", [1, 100])
def test_shapes_and_ranges(shape, latent_size):
    generator = models.mlp_generator(latent_size, shape, (16, 32))
    images = generator(10 * torch.randn(5, latent_size))
    assert images.shape == (5, *shape)
    assert images.min() >= -1 and images.max() <= 1
    logits = models.mlp_discriminator(shape, (32, 16))(images)
    assert logits.shape == (5,)


def test_discriminator_gives_logits_not_probabilities():
    discriminator = models.mlp_discriminator()
    discriminator[-2].weight.data.mul_(1000)
    logits = discriminator(torch.randn(64, 1, 28, 28))
    assert logits.min() < 0 < 1 < logits.max()


def test_layers_are_those_of_the_lesson():
    sizes = [(layer.in_features, layer.out_features) for layer in models.mlp_generator() if isinstance(layer, nn.Linear)]
    assert sizes == [(100, 128), (128, 256), (256, 512), (512, 784)]
    sizes = [(layer.in_features, layer.out_features) for layer in models.mlp_discriminator() if isinstance(layer, nn.Linear)]
    assert sizes == [(784, 512), (512, 256), (256, 128), (128, 1)]
