"""The bundled long run: what its files hold, that its cards are true, and that its tool goes on after an interruption."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
import safetensors.torch
import torch

from gan_lessons import bundle, classifiers, data, losses, metrics, models, pretrained, runtime
from tools import pretrain_faces

ROOT = Path(__file__).resolve().parent.parent


def faces_from(generator, n, seed=0):
    return models.run(generator, torch.randn(n, 100, generator=torch.Generator().manual_seed(seed)).to(runtime.device()))


def test_milestones_are_those_of_the_tool_as_far_as_the_run_went():
    kept = pretrained.face_milestones()
    assert len(kept) >= 6 and kept == list(pretrain_faces.RUNS["dcgan"].milestones)[: len(kept)]
    for turns in kept:
        card = pretrained.milestone_card(turns)
        assert card["turns"] == turns and card["command"] == "tools/pretrain_faces.py"
        assert card["data_sha256"] == hashlib.sha256((bundle.FOLDER / "faces/faces.npz").read_bytes()).hexdigest()
    seconds = [pretrained.milestone_card(turns)["seconds"] for turns in kept]
    assert seconds == sorted(seconds)


def test_all_milestones_together_are_small():
    assert sum(path.stat().st_size for path in (bundle.FOLDER / "pretrained_faces").iterdir()) < 12e6


@pytest.mark.parametrize("turns", [0, 1000, None])
def test_scores_are_those_of_the_card(turns):
    scores = metrics.score_faces(faces_from(pretrained.face_generator(turns), 1000))
    said = pretrained.milestone_card(turns)["scores"]
    assert scores.frechet == pytest.approx(said["frechet"], rel=0.03)
    assert scores.precision == pytest.approx(said["precision"], abs=0.02)


def test_the_run_became_better():
    distances = [pretrained.milestone_card(turns)["scores"]["frechet"] for turns in pretrained.face_milestones()]
    assert distances[-1] < distances[3] / 1.5 < distances[0] / 5


def test_the_discriminator_tells_unseen_faces_from_those_drawn():
    discriminator = pretrained.face_discriminator()
    real = models.run(discriminator, data.to_floats(data.faces("test").pixels[:300]))
    fake = models.run(discriminator, faces_from(pretrained.face_generator(), 300))
    assert real.sigmoid().mean() > fake.sigmoid().mean() + 0.1


def test_named_directions_are_those_of_a_ridge_regression():
    z = torch.randn(1000, 100, generator=torch.Generator().manual_seed(0))
    seen = classifiers.read_faces(faces_from(pretrained.face_generator(), 1000)).attributes
    directions = pretrained.face_directions()
    assert list(directions) == list(pretrained.NAMED_ATTRIBUTES)
    for name, (attribute, values) in pretrained.NAMED_ATTRIBUTES.items():
        has = numpy.isin(seen[attribute], values).astype(float)
        # The ridge's 100 rows more ask each of the 100 numbers to be 0, as strongly as `latent.linear_direction` says.
        rows = numpy.vstack([z.numpy() - z.numpy().mean(0), numpy.sqrt(100) * numpy.eye(100)])
        fitted = numpy.linalg.lstsq(rows, numpy.concatenate([has - has.mean(), numpy.zeros(100)]), rcond=None)[0]
        assert numpy.allclose(directions[name], fitted / numpy.linalg.norm(fitted), atol=1e-5), name


def test_named_directions_bring_what_they_are_named_after():
    generator, z = pretrained.face_generator(), torch.randn(30, 100, generator=torch.Generator().manual_seed(1))
    for name, direction in pretrained.face_directions().items():
        attribute, values = pretrained.NAMED_ATTRIBUTES[name]
        images = (models.run(generator, (z + step * direction).to(runtime.device())) for step in (-3, 3))
        low, high = (numpy.isin(classifiers.read_faces(faces).attributes[attribute], values).mean() for faces in images)
        assert high > low + 0.3, name


def test_another_milestone_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="not kept at turn 123, only at 0, 100, 1000"):
        pretrained.face_generator(123)
    with pytest.raises(ValueError, match="not kept at turn '0'"):
        pretrained.milestone_card("0")


def test_a_missing_or_damaged_milestone_is_named_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "FOLDER", tmp_path / "data")
    (tmp_path / "data/pretrained_faces").mkdir(parents=True)
    (tmp_path / "data/SHA256SUMS").write_bytes((ROOT / "data/SHA256SUMS").read_bytes())
    with pytest.raises(FileNotFoundError, match="50000.safetensors is missing. Restore it with `git checkout -- data/pretrained"):
        pretrained.face_generator()
    (tmp_path / "data/pretrained_faces/discriminator.safetensors").write_bytes(b"half")
    with pytest.raises(ValueError, match="discriminator.safetensors is damaged"):
        pretrained.face_discriminator()


def small_run(tmp_path, run, **changes):
    """A run of the tool, with milestones that are soon reached, in folders of its own."""
    return replace(pretrain_faces.RUNS[run], **{"into": tmp_path / "data", "runs": tmp_path / "runs", **changes})


def small_networks(size):
    return models.StyleGenerator(100, size, width=4), models.ResidualDiscriminator(size, width=4)


@pytest.fixture
def one_thread():
    """Sums in another order are other sums."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("run", "changes"),
    [
        ("dcgan", {"stages": {64: 4}}),
        # It grows after the second turn, is interrupted after the third, and its penalty comes at every turn.
        (
            "modern",
            {
                "stages": {32: 2, 64: 2},
                "networks": small_networks,
                "settings": lambda size: {"losses": losses.relativistic, "penalty": losses.Penalty(losses.r1_r2, size / 64)},
            },
        ),
    ],
)
def test_an_interrupted_run_goes_on_and_ends_as_if_it_had_not_been(run, changes, tmp_path, one_thread):
    broken = small_run(tmp_path / "broken", run, milestones=(0, 4), **changes)
    whole = small_run(tmp_path / "whole", run, milestones=(0, 4), **changes)
    for until in (3, 4):
        pretrain_faces.play(broken, until)
    pretrain_faces.play(whole)
    for name in ("4.safetensors", "discriminator.safetensors"):
        last, again = (safetensors.torch.load_file(it.folder / name) for it in (broken, whole))
        assert last.keys() == again.keys() and all(torch.equal(last[key], again[key]) for key in again)
    card = json.loads((whole.folder / "4.json").read_text(encoding="utf-8"))
    assert card["turns"] == 4 and set(card["scores"]) == {"frechet", "kernel", "precision", "recall"}
    assert sorted(path.name for path in whole.folder.glob("*.safetensors")) == [
        "0.safetensors", "4.safetensors", "discriminator.safetensors",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_stage_begins_with_what_the_one_before_has_learned(tmp_path, one_thread):
    run = small_run(tmp_path, "modern", stages={32: 2, 64: 1}, milestones=(), networks=small_networks)
    large = pretrain_faces.play(run, until=2)
    small = pretrain_faces.play(replace(run, stages={32: 2}))
    assert (small.turns, large.turns) == (2, 0)
    z, images = torch.randn(20, 100), torch.randn(5, 3, 64, 64)
    for name in ("generator", "average"):
        ours, theirs = (pretrain_faces.inner(game)[name].eval()(z) for game in (large, small))
        assert (torch.nn.functional.avg_pool2d(ours, 2) - theirs).abs().mean() < 0.1
    ours, theirs = (pretrain_faces.inner(game)["discriminator"] for game in (large, small))
    torch.testing.assert_close(ours(images), theirs(torch.nn.functional.avg_pool2d(images, 2)))


WORKER = """
import sys
from dataclasses import replace
from pathlib import Path

import safetensors.torch
import torch

from gan_lessons import data, losses
from tests.test_pretrained import small_networks, small_run
from tools import pretrain_faces as tool

def main(folder, until):
    draw, seen = data.Faces.draw, []
    data.Faces.draw = lambda self, n: seen.append(draw(self, n)) or seen[-1]
    tool.SAVE_EVERY = 2
    settings = {"losses": losses.relativistic, "penalty": losses.Penalty(losses.r1_r2, 1.0, 2)}
    run = small_run(
        folder, "modern", stages={32: 6}, milestones=(), networks=small_networks, batch_size=8, settings=lambda size: settings
    )
    game = tool.play(run, until)
    parts = [part.detach().flatten() for network in tool.inner(game).values() for part in network.parameters()]
    vector = torch.nn.Parameter(torch.zeros(3))
    optimizer = torch.optim.SGD([vector], 1.0)
    vector.grad = torch.arange(3.0) + tool.rank()
    tool.average_gradients(optimizer)
    found = {"weights": torch.cat(parts), "seen": torch.cat(seen), "mean": vector.grad}
    safetensors.torch.save_file(found, folder / f"{tool.rank()}.safetensors")


torch.set_num_threads(1)
with tool.process_group():
    main(Path(sys.argv[1]), int(sys.argv[2]))
"""


@pytest.mark.slow
def test_two_processes_see_different_batches_hold_equal_weights_and_go_on(tmp_path):
    (tmp_path / "worker.py").write_text(WORKER)

    def play(folder, until):
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", tmp_path / "worker.py"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        subprocess.run([*command, tmp_path / folder, str(until)], cwd=ROOT, env=environment, check=True, timeout=300)
        return [safetensors.torch.load_file(tmp_path / folder / f"{rank}.safetensors") for rank in (0, 1)]

    first, second = play("whole", 6)
    assert first["seen"].shape == second["seen"].shape == (24, 3, 32, 32)
    batches = [batch.numpy().tobytes() for process in (first, second) for batch in process["seen"].split(4)]
    assert len(set(batches)) == 12  # no process sees one again, either
    assert torch.equal(first["weights"], second["weights"])
    assert first["mean"].tolist() == second["mean"].tolist() == [0.5, 1.5, 2.5]
    play("broken", 4)
    for whole, resumed in zip((first, second), play("broken", 6)):
        assert torch.equal(resumed["seen"], whole["seen"][16:]) and torch.equal(resumed["weights"], whole["weights"])


def test_what_is_not_at_64_is_brought_there():
    images = torch.randn(2, 3, 128, 128)
    torch.testing.assert_close(pretrain_faces.at_64(images), torch.nn.functional.interpolate(images, size=64, mode="area"))
    assert (
        pretrain_faces.at_64(images[..., :64, :64]).shape == pretrain_faces.at_64(images[..., :32, :32]).shape == (2, 3, 64, 64)
    )
