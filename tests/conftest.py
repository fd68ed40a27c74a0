import os
import signal

import pytest
import torch

from gan_lessons import exercises, models

# Tests draw on the CPU and compare bit for bit, so they keep to it whatever the machine has; test_devices.py is about the others.
os.environ["GAN_LESSONS_DEVICE"] = "cpu"


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def first_attempt():
    exercises.failed_attempts.clear()


@pytest.fixture
def small_game_networks():
    """A generator of 2×2 images from z of size 3, and a discriminator to match."""
    return models.mlp_generator(3, (1, 2, 2), (8,)), models.mlp_discriminator((1, 2, 2), (8,))


@pytest.fixture
def verdict(capsys):
    """What an exercise's check has just said, its lines joined."""
    return lambda: " ".join(capsys.readouterr().out.split())


def pytest_configure(config):
    # Whoever starts tests in the background makes them, and what they start, deaf to the interrupts that they are about.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
