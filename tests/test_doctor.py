"""`python -m gan_lessons` says what is broken and how to mend it, and promises nothing that was not measured."""

import importlib.metadata
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest
import torch

from gan_lessons import bundle, doctor, runtime


@pytest.fixture
def own_bundle(tmp_path, monkeypatch):
    """A copy of the bundled files, nothing unpacked, and a made-up table of times."""
    folder = tmp_path / "data"
    shutil.copytree(bundle.FOLDER, folder, ignore=shutil.ignore_patterns("*-ubyte", "*.md"))
    monkeypatch.setattr(bundle, "FOLDER", folder)
    monkeypatch.setattr(doctor, "TIMES", tmp_path / "series.json")
    return folder


def run(capsys, *words):
    status = doctor.main(list(words))
    return status, capsys.readouterr().out


@pytest.mark.slow
def test_all_is_well_wherever_it_is_started(tmp_path):
    run = subprocess.run([sys.executable, "-m", "gan_lessons"], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "BROKEN" not in run.stdout and run.stderr == ""
    assert torch.__version__.split("+")[0] in run.stdout and runtime.device_name() in run.stdout


def test_each_damaged_or_missing_file_is_named_with_the_way_out(own_bundle, capsys):
    bundled = [name for name in bundle.checksums() if not name.endswith("-ubyte")]
    assert run(capsys)[0] == 0
    (own_bundle / "digit_classifier/weights.safetensors").unlink()
    with open(own_bundle / "faces/attributes.csv", "ab") as file:
        file.write(b"x")
    status, out = run(capsys)
    assert status == 1 and out.count("BROKEN") == 2
    assert f"{len(bundled) - 2} of {len(bundled)} files" in out
    assert "data/digit_classifier/weights.safetensors is missing. Restore it with `git checkout -- " in out
    assert "data/faces/attributes.csv is damaged" in out
    (own_bundle / "SHA256SUMS").unlink()
    status, out = run(capsys)
    assert status == 1 and "SHA256SUMS is missing: GAN Lessons runs from a clone" in out


@pytest.mark.parametrize(
    ("installed", "says"),
    [("0.25.1", "torchvision is 0.25.1, and the lessons need >=0.26."), (None, "torchvision is not installed.")],
)
def test_a_package_missing_or_too_old_is_named(monkeypatch, capsys, installed, says):
    def version(name, original=importlib.metadata.version):
        if name != "torchvision":
            return original(name)
        if installed is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed

    monkeypatch.setattr(importlib.metadata, "version", version)
    status, out = run(capsys)
    assert status == 1 and f"BROKEN: {says} Set the lessons up as the README tells" in out


def test_an_unusable_gpu_is_no_breakage_but_is_told(own_bundle, monkeypatch, capsys):
    def fail(*sizes, **keywords):
        raise RuntimeError("no kernel image is available")

    runtime.device.cache_clear()
    monkeypatch.delenv("GAN_LESSONS_DEVICE")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", fail)
    status, out = run(capsys)
    runtime.device.cache_clear()
    assert status == 0
    said = r"CPU with \d+ threads?\. The cuda GPU cannot be used \(no kernel image is available\), so the CPU does the work\."
    assert re.search(said, out)


def test_a_device_that_there_is_not_is_named_and_the_rest_is_still_told(own_bundle, monkeypatch, capsys):
    runtime.device.cache_clear()
    monkeypatch.setenv("GAN_LESSONS_DEVICE", "tpu")
    status, out = run(capsys)
    runtime.device.cache_clear()
    assert status == 1 and "BROKEN:" in out and "tpu" in out and "are as they should be" in out


def test_minutes_are_those_measured_scaled_by_the_probe(own_bundle, monkeypatch, capsys):
    assert "No times have been measured yet" in run(capsys)[1]
    lessons = {"01_why_noise": {"seconds": [30.0, 60.0, 90.0]}, "02_minimax": {"seconds": [30.0]}}
    doctor.TIMES.write_text(json.dumps({"machine": "an abacus", "probe_ms": 4.0, "lessons": lessons}), encoding="utf-8")
    monkeypatch.setattr(doctor, "probe", lambda: 6.0)
    out = run(capsys)[1]
    assert "estimated: 1.5 times those measured on an abacus" in out
    assert "  1.5  01_why_noise\n" in out and "  0.8  02_minimax\n" in out


def test_the_probe_measures_time(monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr(doctor.time, "perf_counter", lambda: next(clock) / 100)
    assert doctor.probe() == pytest.approx(10.0)


@pytest.mark.parametrize(("busy", "told"), [(0.0, False), (0.15, False), (0.5, True), (1.0, True)])
def test_a_busy_machine_is_told_since_the_probe_is_slowed_down(own_bundle, monkeypatch, capsys, busy, told):
    order = []
    monkeypatch.setattr(psutil, "cpu_percent", lambda interval: order.append("looked") or 100 * busy)
    monkeypatch.setattr(doctor, "probe", lambda: order.append("probed") or 4.0)
    lessons = {"01_why_noise": {"seconds": [60.0]}}
    doctor.TIMES.write_text(json.dumps({"machine": "an abacus", "probe_ms": 4.0, "lessons": lessons}), encoding="utf-8")
    out = run(capsys)[1]
    sentence = f"\n  (Other programs keep {busy:.0%} of the processor busy right now, so the estimate is too high.)\n"
    assert (sentence in out) == ("so the estimate is too high" in out) == told
    assert order == ["looked", "probed"], "what the probe itself takes is not to be counted"


def test_a_busy_neighbour_is_seen():
    hog = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        assert doctor.busy_share(1.0) > 0.5 / os.cpu_count()
    finally:
        hog.kill()
        hog.wait()


def test_memory_is_told_on_every_system(monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=int(15.7e9)))
    monkeypatch.delattr(os, "sysconf", raising=False)  # Windows has none
    assert " · 16 GB memory · " in doctor.machine()


def test_without_psutil_it_is_named_and_nothing_stops(monkeypatch, capsys):
    def version(name, original=importlib.metadata.version):
        if name == "psutil":
            raise importlib.metadata.PackageNotFoundError(name)
        return original(name)

    monkeypatch.setitem(sys.modules, "psutil", None)
    monkeypatch.setattr(importlib.metadata, "version", version)
    status, out = run(capsys)
    assert status == 1 and "GB memory" not in out and "GB of disk free" in out
    assert "BROKEN: psutil is not installed. Set the lessons up as the README tells" in out


@pytest.mark.parametrize("encoding", ["cp932", "cp1252", "cp437", "gbk", "ascii"])
def test_the_report_goes_through_any_encoding(encoding):
    """As on a Japanese Windows whose output goes to a file; with a package missing it ends early, and the same holds."""
    code = "import sys, runpy; sys.argv = ['gan_lessons']; sys.modules['packaging'] = None; runpy.run_module('gan_lessons')"
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    said = run.stdout.decode(encoding)
    assert run.returncode == 1 and run.stderr == b"", run.stderr
    assert said.startswith("Machine ") and "BROKEN: Nothing is installed for" in said


def test_other_words_are_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        doctor.main(["treat"])
    assert "usage: python -m gan_lessons [-h]\n" in capsys.readouterr().err
