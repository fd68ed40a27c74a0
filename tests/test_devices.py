"""The package on a pretended GPU, CUDA's and Apple's: nothing there that a real one would refuse.

Run as a program with a kind, this file is the process in which a pretended GPU is installed: it prints what was complained of.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import pytest
import torch
from drawn_faces import DrawnFaces
from torch import nn

from gan_lessons import (
    board,
    classifiers,
    data,
    latent,
    losses,
    metrics,
    models,
    plots,
    pretrained,
    runtime,
    toys,
    training,
    widgets,
)
from tools.pretended_gpu import install

ROOT = Path(__file__).resolve().parent.parent
KINDS = ("cuda", "mps")


def images(n, *shape):
    return torch.rand(n, *shape, device=runtime.device()) * 2 - 1


def small_game(seed=0, **settings):
    discriminator = nn.Sequential(models.RandomShift(1), models.spectral_discriminator((1, 28, 28), 4))
    networks = models.conv_generator(5, (1, 28, 28), 4), discriminator
    return training.Game(*networks, latent_size=5, batch_size=4, seed=seed, **settings)


# ------------------------------------------------------------------------- what must go without a complaint


def a_game_that_is_saved_and_loaded():
    game, again = small_game(), small_game(1)
    draw = lambda n: images(n, 1, 28, 28)
    list(game.play(draw, 3))
    with tempfile.TemporaryDirectory() as folder:
        game.save(Path(folder) / "game.safetensors")
        again.load(Path(folder) / "game.safetensors")
    list(again.play(draw, 5))
    assert again.samples(again.noise(3)).device.type == runtime.device().type


def dense_games_with_every_loss():
    for pair in (pair for pair in vars(losses).values() if isinstance(pair, losses.Losses)):
        networks = models.mlp_generator(3, (1, 2, 2), (8,)), models.mlp_discriminator((1, 2, 2), (8,))
        list(training.Game(*networks, latent_size=3, batch_size=4, losses=pair).play(lambda n: images(n, 1, 2, 2), 3))


def data_sets_and_their_readings():
    assert data.mnist("test").draw(5).device.type == runtime.device().type
    faces = data.faces("test", size=32)
    data.faces("test").draw(2), faces.draw(2)
    reading = classifiers.read_digits(images(20, 1, 28, 28))
    metrics.effective_classes(metrics.class_shares(reading.probabilities.argmax(dim=1)))
    classifiers.read_faces(images(4, 3, 64, 64))
    metrics.nearest_neighbours(faces.draw(3), faces.pixels)


def distances_between_features():
    real, fake = torch.randn(30, 6, device=runtime.device()), torch.randn(40, 6, device=runtime.device())
    metrics.frechet_distance(real, fake), metrics.kernel_distance(real, fake), metrics.precision_recall(real, fake)


def toys_and_their_modes():
    for toy in (toys.bump(), toys.two_bumps()):
        toy.log_prob(toy.sample((5, 1)))
    ring = toys.ring()
    points = ring.sample((50,))
    ring.log_prob(points)
    toys.modes_covered(points, toys.ring_centres(), 0.15)


def the_latent_space():
    generator = pretrained.face_generator()
    z = torch.randn(20, 100, device=runtime.device())
    latent.path(z[0], z[1], 5), latent.path(z[0], z[1], 5, latent.lerp)
    latent.principal_directions(generator, 3) @ z[0]
    for fit in (latent.mean_direction, latent.linear_direction):
        fit(z, z[:, 0] > 0) @ z[0]


def panels_that_are_moved():
    generator = DrawnFaces(size=16).to(runtime.device())
    sliders = widgets.latent_sliders(generator, faces=4)
    travel = widgets.time_travel({10: generator, 20: generator})
    morph, teach = widgets.morph(generator), widgets.teach_direction(generator)
    for panel in (sliders, travel):
        next(iter(panel.sliders.values())).value = 1.0
        panel.random_face(), panel.keep()
    morph.t.value = 0.2
    for face in teach.faces[:5]:
        face.value = True
    teach.name.value = "smile"
    teach.make_slider()
    for panel in (sliders, travel, morph, teach, teach.panel):
        assert "did not work" not in panel.message.value
        panel._repr_mimebundle_()


def a_board_with_a_classifier():
    board.get_ipython = lambda: type("InANotebook", (), {"kernel": None})
    plots.Screen.put = lambda screen, content: None
    board.SHARE = 1e9  # a picture every turn
    list(board.watch(small_game(), lambda n: images(n, 1, 28, 28), 3, classifier=classifiers.read_digits))


def pictures():
    plots.grid_png(images(5, 3, 8, 8), "five images")


PARTS = (
    a_game_that_is_saved_and_loaded,
    dense_games_with_every_loss,
    data_sets_and_their_readings,
    distances_between_features,
    toys_and_their_modes,
    the_latent_space,
    panels_that_are_moved,
    a_board_with_a_classifier,
    pictures,
)

# -------------------------------------------------------------------------- what a real device would refuse

MISTAKES = {
    "an operation": (lambda here: torch.add(here, torch.ones(3)), "add gets tensors of the CPU and of the device"),
    "a layer": (lambda here: nn.Linear(3, 2)(here), "linear gets tensors of the CPU and of the device"),
    "a list": (lambda here: torch.cat([here, torch.ones(3)]), "cat gets tensors of the CPU and of the device"),
    "a parameter": (lambda here: nn.Parameter(here) + torch.ones(3), "add gets tensors of the CPU and of the device"),
    "numpy": (lambda here: here.numpy(), "a numpy array is made of a tensor on the device"),
    "numpy's own": (lambda here: numpy.asarray(here), "a numpy array is made of a tensor on the device"),
    "an index": (lambda here: torch.ones(3)[here > 0], "a tensor on the CPU is indexed by one on the device"),
    "another's random numbers": (
        lambda here: torch.randn(3, generator=torch.Generator(), device=here.device),
        "a generator of cpu draws for the other device",
    ),
    "double precision": (lambda here: here.double(), "mps knows no torch.float64"),
}
CORRECT = {
    "a number of the CPU": lambda here: here + torch.tensor(1.0),
    "a copy": lambda here: torch.ones(3).copy_(here),
    "an index of the CPU": lambda here: here[torch.tensor([0, 1])],
    "moved first": lambda here: (here.cpu().numpy(), here.cpu().double(), torch.ones(3).to(here) + here),
    "moved with a module": lambda here: nn.Linear(3, 2).to(here.device)(here),
    "gradients": lambda here: torch.autograd.grad((here.requires_grad_() * 2).sum(), here)[0] + here,
    "random numbers": lambda here: (
        torch.randn(3, generator=torch.Generator(here.device).manual_seed(0), device=here.device) + here
    ),
    "rows": lambda here: [row + here for row in here.expand(2, 3)],
}


def account(kind):
    """Everything above on a pretended GPU of this kind: the complaints by name."""
    os.environ["GAN_LESSONS_DEVICE"] = kind
    gpu = install(kind)

    def complaints(act):
        gpu.complaints.clear()
        act()
        return list(gpu.complaints)

    here = lambda: torch.ones(3, device=kind)
    found = {name: complaints(lambda: act(here())) for name, act in CORRECT.items()}
    found |= {name: complaints(lambda: act(here())) for name, (act, _) in MISTAKES.items()}
    return found | {part.__name__: complaints(part) for part in PARTS}


@pytest.fixture(scope="module", params=KINDS)
def found(request):
    """The kind, and the account of a process in which there is such a GPU."""
    command = [sys.executable, __file__, request.param]
    answer = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True, check=True)
    return request.param, json.loads(answer.stdout.splitlines()[-1])


@pytest.mark.parametrize("part", [part.__name__ for part in PARTS] + list(CORRECT))
def test_nothing_here_would_stop_on_a_gpu(found, part):
    assert found[1][part] == []


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_would_be_seen(found, mistake):
    kind, complaints = found
    words = [] if (kind, mistake) == ("cuda", "double precision") else [MISTAKES[mistake][1]]
    assert [complaint.split(f": {Path(__file__).name}:")[0] for complaint in complaints[mistake]] == words


@pytest.mark.slow
def test_solutions_run_on_a_pretended_gpu():
    command = [sys.executable, "-m", "tools.device_test", "notebooks/solutions/06_measuring_gans.ipynb"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("no complaint") == len(KINDS)


if __name__ == "__main__":
    print(json.dumps(account(sys.argv[1])))
