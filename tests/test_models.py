import pytest
import torch
from torch import nn

from gan_lessons import classifiers, models, training


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


@pytest.mark.parametrize(
    ("make", "leaks"),
    [
        (models.mlp_generator, 3),
        (models.mlp_discriminator, 3),
        (models.conv_discriminator, 3),
        (models.spectral_discriminator, 4),
    ],
)
def test_every_leak_is_that_of_the_dcgan_paper(make, leaks):
    slopes = [layer.negative_slope for layer in make() if isinstance(layer, nn.LeakyReLU)]
    assert slopes == [0.2] * leaks


class Witness(nn.Module):
    """Notes in which mode it is asked, how many at a time and whether gradients are kept."""

    def __init__(self):
        super().__init__()
        self.weight, self.seen = nn.Parameter(torch.ones(1)), []

    def forward(self, inputs):
        outputs = inputs * self.weight
        self.seen.append((self.training, len(inputs), outputs.requires_grad))
        return outputs


@pytest.mark.parametrize("training_before", [True, False])
def test_a_network_is_run_in_eval_mode_and_left_in_the_mode_it_was_in(training_before):
    network, inputs = nn.Sequential(Witness()).train(training_before), torch.randn(7, 2)
    assert torch.equal(models.run(network, inputs, chunk=3), inputs)
    assert network[0].seen == [(False, 3, False), (False, 3, False), (False, 1, False)]
    assert network.training is network[0].training is training_before


@pytest.mark.parametrize("training_before", [True, False])
def test_a_network_that_fails_is_left_in_the_mode_it_was_in(training_before):
    network = nn.Sequential(nn.Linear(3, 3)).train(training_before)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        models.run(network, torch.randn(7, 2))
    assert network.training is training_before


@pytest.mark.parametrize("shape, start", [((1, 28, 28), 3), ((1, 32, 32), 4), ((3, 64, 64), 4), ((3, 45, 45), 2), ((1, 8, 8), 4)])
def test_convolutional_shapes_and_ranges(shape, start):
    generator, discriminator = models.conv_generator(10, shape, 4), models.conv_discriminator(shape, 4)
    images = generator(100 * torch.randn(5, 10))
    assert images.shape == (5, *shape)
    assert images.min() >= -1 and images.max() <= 1
    assert discriminator(images).shape == (5,)
    assert generator[:4](torch.randn(5, 10)).shape[2:] == (start, start)


def test_at_64_pixels_the_networks_are_those_of_the_dcgan_paper():
    # 3 576 704 and 2 765 568 parameters without biases, as the DCGAN of the PyTorch examples has (nz 100, ngf 64, ndf 64).
    generator, discriminator = models.conv_generator(100, (3, 64, 64), 64), models.conv_discriminator((3, 64, 64), 64)
    assert sum(parameter.numel() for parameter in generator.parameters()) == 3_576_704 + 3
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == 2_765_568 + 64 + 1


def test_convolutional_networks_begin_as_dcgan_says():
    torch.manual_seed(0)
    for network in (models.conv_generator(), models.conv_discriminator()):
        for layer in network:
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                assert abs(layer.weight.mean()) < 0.002 and 0.017 < layer.weight.std() < 0.023
            if isinstance(layer, nn.BatchNorm2d):
                assert 0.98 < layer.weight.mean() < 1.02 and 0.01 < layer.weight.std() < 0.03


@pytest.mark.parametrize("shape", [28, (28, 28), (1, 1, 28, 28), "x", None, (1, 28, 28.0), (0, 28, 28), (1, -28, -28)])
def test_an_image_shape_that_is_none_is_refused_by_all(shape):
    for network in (models.mlp_generator, models.conv_generator):
        with pytest.raises(ValueError, match=r"it is \(channels, height, width\), three whole numbers") as caught:
            network(10, shape)
        assert repr(shape) in str(caught.value)
    for network in (models.mlp_discriminator, models.conv_discriminator, models.spectral_discriminator):
        with pytest.raises(ValueError, match=r"it is \(channels, height, width\)"):
            network(shape)


@pytest.mark.parametrize("shape", [[1, 28, 28], torch.Size([1, 28, 28]), torch.tensor([1, 28, 28])])
def test_an_image_shape_may_be_any_three_numbers(shape):
    assert models.run(models.mlp_generator(10, shape, (8,)), torch.randn(2, 10)).shape == (2, 1, 28, 28)
    assert models.run(models.conv_discriminator(shape, 2), torch.randn(2, 1, 28, 28)).shape == (2,)


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        (None, "not something of type NoneType"),
        ([0.0, 1.0, 2.0], "not something of type list"),
        (torch.zeros(2, 3, dtype=torch.float64), r"numbers of torch.float32, not of torch.float64. .*inputs.to\(torch.float32\)"),
        (torch.zeros(2, 3, dtype=torch.int64), "not of torch.int64"),
    ],
)
def test_inputs_of_another_type_are_refused(inputs, says):
    network = nn.Sequential(nn.Linear(3, 3))
    with pytest.raises(TypeError, match=says):
        models.run(network, inputs)
    assert network.training


@pytest.mark.parametrize("shape, words", [((1, 28, 30), "square images .* not 28×30"), ((1, 6, 6), "at least 8×8, not 6×6")])
def test_sizes_that_do_not_fit_are_refused(shape, words):
    for make in (lambda: models.conv_generator(10, shape), lambda: models.conv_discriminator(shape)):
        with pytest.raises(ValueError, match=words):
            make()


def test_digit_classifier_has_64_features_before_its_answer():
    classifier = classifiers.digit_classifier().eval()
    images = torch.randn(3, 1, 28, 28)
    assert classifier[:-1](images).shape == (3, 64) and classifier(images).shape == (3, 10)


def test_face_classifier_has_128_features_before_its_answers():
    classifier = classifiers.face_classifier(90).eval()
    images = torch.randn(3, 3, 64, 64)
    assert classifier[:-1](images).shape == (3, 128) and classifier(images).shape == (3, 90)


@pytest.mark.parametrize("size, width", [(64, 16), (28, 8)])
def test_spectral_discriminator_divides_each_layer_by_its_largest_singular_value(size, width):
    torch.manual_seed(0)
    discriminator = models.spectral_discriminator((3, size, size), width)
    images = torch.randn(4, 3, size, size)
    for _ in range(60):  # each forward pass in training mode is a round of power iteration
        logits = discriminator(images)
    assert logits.shape == (4,)
    for layer in (layer for layer in discriminator if isinstance(layer, nn.Conv2d)):
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2).item() == pytest.approx(1, abs=0.03)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in discriminator)


def test_spectral_discriminator_is_loaded_as_it_was():
    torch.manual_seed(0)
    mine, its = models.spectral_discriminator((3, 16, 16), 4), models.spectral_discriminator((3, 16, 16), 4)
    images = torch.randn(4, 3, 16, 16)
    mine(images)
    its.load_state_dict(mine.state_dict())
    assert torch.equal(mine.eval()(images), its.eval()(images))


def test_random_shift_moves_each_image_by_its_own_whole_number_of_pixels():
    torch.manual_seed(0)
    images, shift = torch.randn(200, 2, 9, 7), models.RandomShift(2)
    padded = nn.functional.pad(images, [2] * 4, mode="replicate")
    places = set()
    for before, after in zip(padded, shift(images)):
        found = [(i, j) for i in range(5) for j in range(5) if torch.equal(after, before[:, i : i + 9, j : j + 7])]
        assert len(found) == 1
        places.add(found[0])
    assert places == {(i, j) for i in range(5) for j in range(5)}
    assert shift.eval()(images) is images


def test_networks_within_networks_begin_as_dcgan_says_too():
    inner = nn.Sequential(nn.ConvTranspose2d(20, 40, 4), nn.BatchNorm2d(40))
    network = nn.Sequential(nn.Unflatten(1, (20, 1, 1)), nn.ModuleDict({"deep": inner})["deep"], nn.Tanh())
    assert models.initialise(network) is network
    assert 0.018 < inner[0].weight.std() < 0.022  # torch's own would be 0.03
    assert 0.98 < inner[1].weight.mean() < 1.02 and 0.01 < inner[1].weight.std() < 0.03


def test_gradients_come_back_through_a_random_shift():
    torch.manual_seed(0)
    images = torch.randn(3, 1, 8, 8, requires_grad=True)
    models.RandomShift(2)(images).sum().backward()
    # Each pixel of the result is a copy of one pixel, so the gradient counts copies.
    assert torch.equal(images.grad, images.grad.round()) and images.grad.sum() == images.numel()


def test_with_sixteen_bits_networks_answer_nearly_the_same():
    torch.manual_seed(0)
    generator, discriminator = models.conv_generator(width=8), models.conv_discriminator(width=8)
    z = torch.randn(16, 100)
    images = generator(z)
    rough = models.Bfloat16(generator)(z)
    assert rough.dtype == torch.float32 and not torch.equal(rough, images)
    assert torch.allclose(rough, images, atol=0.02)
    assert torch.allclose(models.Bfloat16(discriminator)(images), discriminator(images), atol=0.05)


def test_with_sixteen_bits_a_game_goes_nearly_the_same_way():
    torch.manual_seed(0)
    real = torch.rand(64, 1, 28, 28) * 2 - 1
    games = []
    for wrap in (lambda network: network, models.Bfloat16):
        torch.manual_seed(0)
        networks = wrap(models.conv_generator(width=4)), wrap(models.conv_discriminator(width=4))
        game = training.Game(*networks, batch_size=16)
        for _ in game.play(lambda n: real[:n], until=10):
            pass
        games.append(torch.tensor(game.history))
    assert torch.allclose(*games, atol=0.1) and not torch.equal(*games)


# ---------------------------------------------------------------------------------------- networks of today


@pytest.mark.parametrize("size", [16, 32, 64, 128])
def test_networks_of_today_at_each_size(size):
    generator, discriminator = models.StyleGenerator(7, size, width=8), models.ResidualDiscriminator(size, width=8)
    images = generator(3 * torch.randn(2, 7))
    assert images.shape == (2, 3, size, size) and images.min() >= -1 and images.max() <= 1
    assert discriminator(images).shape == (2,)


@pytest.mark.parametrize("network", [models.StyleGenerator, models.ResidualDiscriminator])
@pytest.mark.parametrize("size", [8, 48, 100])
def test_other_sizes_are_refused(network, size):
    with pytest.raises(ValueError, match=f"16×16, 32×32, 64×64, …, not {size}×{size}"):
        network(size=size)


def test_resize_convolution_is_torchs_resizing_then_its_convolution():
    layer, images = models.ResizeConvolution(5, 7).double(), torch.randn(2, 5, 6, 4).double()
    wanted = nn.functional.conv2d(nn.functional.interpolate(images, scale_factor=2), layer.weight, layer.bias, padding=1)
    torch.testing.assert_close(layer(images), wanted)


def test_a_grown_generator_draws_the_same_faces_only_larger():
    small, large = models.StyleGenerator(7, 32, 8), models.StyleGenerator(7, 64, 8)
    z = torch.randn(50, 7)
    small(z)  # BatchNorm counts
    models.take_over(large, small)
    small, large = small.eval(), large.eval()
    assert torch.equal(small.styles(z)[:, 0], large.styles(z)[:, 0])
    # Neighbouring votes are mixed before the choice, not after it: at the edge of two colours the two may differ.
    difference = (nn.functional.avg_pool2d(large(z), 2) - small(z)).abs()
    assert difference.mean() < 0.2 * small(z).std()
    palettes = [nn.functional.linear(network.styles(z)[:, -1], network.palette.weight) for network in (small, large)]
    assert torch.equal(*palettes)


def test_a_grown_discriminator_says_the_same_of_the_means_until_it_learns():
    small, large = models.ResidualDiscriminator(16, 8), models.ResidualDiscriminator(32, 8)
    models.take_over(large, small)
    images = torch.randn(5, 3, 32, 32)
    torch.testing.assert_close(large(images), small(nn.functional.avg_pool2d(images, 2)))
    large(images).sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in large.levels[0].parameters())


def test_networks_grow_by_one_level_at_a_time():
    with pytest.raises(ValueError, match="of 4 levels takes over one of 3, not of 2"):
        models.take_over(models.StyleGenerator(size=128), models.StyleGenerator(size=32))


def test_each_image_has_no_more_colours_than_its_palette_spans():
    """Every pixel is a mixture of two colours: all lie on the line between them."""
    pixels = models.StyleGenerator(7, 16, 8, colours=2)(torch.randn(3, 7)).double().flatten(2)
    spread = torch.linalg.svdvals(pixels - pixels.mean(2, keepdim=True))
    assert (spread[:, 0] > 1e-2).all() and (spread[:, 1:] < 1e-4).all()


def test_white_stays_white_with_sixteen_bits():
    """Shares of a colour that are rounded need not add up to 1, but the sum is rounded as well."""
    generator = models.StyleGenerator(7, 16, 8)
    nn.init.constant_(generator.palette.bias, 20)
    images = models.Bfloat16(generator)(torch.randn(50, 7))
    assert images.dtype == torch.float32 and 0.98 < images.min() <= images.max() <= 1


def test_styles_of_two_faces_can_be_mixed_by_level():
    generator = models.StyleGenerator(7, 32, 8).eval()
    one, other = generator.styles(torch.randn(2, 1, 7)[0]), generator.styles(torch.randn(1, 7))
    assert torch.equal(generator.draw(one), generator.draw(one.clone()))
    mixed = torch.cat([one[:, :-1], other[:, -1:]], dim=1)
    assert not torch.equal(generator.draw(mixed), generator.draw(one)) and not torch.equal(
        generator.draw(mixed), generator.draw(other)
    )


def test_an_untrained_discriminator_keeps_the_scale_of_its_images():
    logits = torch.stack([models.ResidualDiscriminator(64)(torch.randn(20, 3, 64, 64)) for _ in range(5)])
    assert 0.2 < logits.std() < 5
