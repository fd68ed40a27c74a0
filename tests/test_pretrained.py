"""The bundled long run: what its files hold, that its cards are true, and that its tool goes on after an interruption."""

import hashlib
import json
from pathlib import Path

import numpy
import pytest
import safetensors.torch
import torch

from gan_lessons import bundle, classifiers, data, metrics, models, pretrained, runtime
from tools import pretrain_faces

ROOT = Path(__file__).resolve().parent.parent


def faces_from(generator, n, seed=0):
    return models.run(generator, torch.randn(n, 100, generator=torch.Generator().manual_seed(seed)).to(runtime.device()))


def test_milestones_are_those_of_the_tool_as_far_as_the_run_went():
    kept = pretrained.face_milestones()
    assert len(kept) >= 6 and kept == list(pretrain_faces.MILESTONES)[: len(kept)]
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


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """The tool, with milestones that are soon reached, in a folder of its own."""
    for name, value in {"MILESTONES": (0, 2, 4), "FOLDER": tmp_path / "data", "RUN": tmp_path / "run"}.items():
        monkeypatch.setattr(pretrain_faces, name, value)
    return pretrain_faces


@pytest.mark.slow
def test_an_interrupted_run_goes_on_and_ends_as_if_it_had_not_been(tool, tmp_path):
    faces, threads = data.faces(), torch.get_num_threads()
    torch.set_num_threads(1)  # sums in another order are other sums
    try:
        for until in (3, 4):
            game = tool.new_game()
            tool.play(game, faces, until, tool.resume(game))
        last = safetensors.torch.load_file(tmp_path / "data/4.safetensors")
        card = json.loads((tmp_path / "data/4.json").read_text(encoding="utf-8"))
        tool.RUN = tmp_path / "another"
        game = tool.new_game()
        assert tool.resume(game) == 0
        tool.play(game, faces, 4, 0.0)
    finally:
        torch.set_num_threads(threads)
    again = safetensors.torch.load_file(tmp_path / "data/4.safetensors")
    assert all(torch.equal(last[name], again[name]) for name in again)
    assert card["turns"] == 4 and set(card["scores"]) == {"frechet", "kernel", "precision", "recall"}
    assert sorted(path.name for path in (tmp_path / "data").glob("*.safetensors")) == [
        "0.safetensors", "2.safetensors", "4.safetensors", "discriminator.safetensors",
    ]  # fmt: skip
