"""`benchmarks/robustness.py` on an artificial set: it trains, measures, resumes, prints a table."""

from __future__ import annotations

import json

import robustness
from made_up_sets import SETS

from rdmf_cli.datasets import DATASETS, find_annotations, open_samples

SMALL = {
    "width": 16,
    "fusion_channels": 8,
    "steps": 2,
    "blocks": 1,
    "metric": 16,
    "projection": 8,
    "slot_width": 32,
    "slot_features": 8,
}
ARMS = ("reaction-diffusion", "none")
MEASURED = ("plain", "noise 1", "30 % foreign", "short clips", "4 times as long")


def laid_out(folder):
    """Make a folder whose annotations have the names that the benchmark reads."""
    features = SETS["qvhighlights"](folder, 6, 4)
    for split in ("train", "val"):
        path = find_annotations(split, features, DATASETS["qvhighlights"])
        path.rename(features / f"{split}.jsonl")
    return features


def test_it_trains_measures_goes_on_and_prints_a_table(tmp_path, capsys):
    features, runs = laid_out(tmp_path), tmp_path / "runs"
    data = ("--data", "qvhighlights", str(features))
    trained = (*data, "--epochs", "1", "--config", json.dumps(SMALL), "--seeds", "2")
    robustness.main(["train", str(runs), *trained, "--arms", *ARMS])
    measured = ["measure", str(runs), *data, "--long", "2", "--sets"]
    robustness.main([*measured, *MEASURED[:2]])
    path = runs / "qvhighlights-none-1" / "scores.json"
    before = json.loads(path.read_text())
    assert set(before) == set(MEASURED[:2])
    path.write_text(json.dumps({**before, "plain": {**before["plain"], "mAP": 12.34}}))
    robustness.main([*measured, *MEASURED])
    after = json.loads(path.read_text())
    assert set(after) == set(MEASURED)
    assert after["plain"]["mAP"] == 12.34  # a set that is measured is not measured again
    capsys.readouterr()
    figure, told = tmp_path / "robustness.svg", tmp_path / "told.json"
    robustness.main(["table", str(runs), "--json", str(told), "--figure", str(figure)])
    table = capsys.readouterr().out
    assert "mAP, reaction-diffusion minus each other arm" in table
    assert "| mean of the disturbed sets |" in table
    assert figure.stat().st_size > 1000
    assert set(json.loads(told.read_text())["scores"]["qvhighlights"]) == set(ARMS)


def test_every_set_is_the_same_for_every_arm_and_true_for_its_moments(tmp_path):
    features = laid_out(tmp_path)
    samples = open_samples(DATASETS["qvhighlights"], features / "val.jsonl", features=features)
    for disturbance in robustness.SETS.values():
        one, other = (robustness.Disturbed(samples, disturbance) for _ in range(2))
        for index in range(len(samples)):
            shown = one[index]
            assert (shown.rows == other[index].rows).all(), disturbance.name
            entry = one.annotations.entries[index]
            assert (entry.windows == shown.annotation.windows).all()
            assert entry.windows.max() <= len(shown.rows) * shown.clip_length
    plain = robustness.Disturbed(samples, robustness.SETS["plain"])
    for index in range(len(samples)):
        assert (plain[index].rows == samples[index].rows).all()
