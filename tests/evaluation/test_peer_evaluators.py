"""`benchmarks/peer_evaluators.py` with artificial repositories: it counts the cells that differ."""

from __future__ import annotations

import csv

import peer_evaluators
import pytest
from made_up_benchmark import ANNOTATIONS, PREDICTIONS, with_change, written

EVALUATOR = """
import argparse, json
parser = argparse.ArgumentParser()
for name in ("--submission_path", "--gt_path", "--save_path"):
    parser.add_argument(name)
parser.add_argument("--not_verbose", action="store_true")
told = parser.parse_args()
from rdmf_cli.evaluation import GroundTruth, evaluate_files, rounded
scores = rounded(evaluate_files(told.submission_path, GroundTruth(told.gt_path, "qvhighlights")))
kept = {name: scores[name] for name in ("brief", "full", "long")}
for group in kept.values():
    group.pop("queries", None)
kept["brief"]["MR-full-mAP-key"] = kept["brief"].pop("MR-full-mAP")  # as UniVTG writes it
kept["full"]["MR-R1"]["0.7"] += WRONG
json.dump(kept, open(told.save_path, "w"))
"""
HIGHLIGHTS = """
import a_model_that_is_not_installed

@torch.no_grad()
def compute_hl_results(epoch_i, model, eval_loader, opt, criterion=None):
    found = defaultdict(AverageMeter)
    for batch in tqdm(eval_loader):
        told, _ = prepare_batch_inputs(batch[1], opt.device)
        for meta, row in zip(batch[0], model(**told)["saliency_scores"]):
            best = row.cpu().argsort(descending=True)[0]
            found[opt.dset_name].append(float(meta["label"][best][0] > 0))
    return {"mAP": round(np.mean(found[opt.dset_name]), 5)}, found
"""


def repository(folder, wrong):
    """Make a repository with an evaluator that answers like rdmf, except for one number."""
    place = folder / "standalone_eval"
    place.mkdir(parents=True)
    (place / "eval.py").write_text(EVALUATOR.replace("WRONG", str(wrong)))
    return folder


def compared(folder, tmp_path, capsys):
    truth = written(tmp_path / "truth.jsonl", ANNOTATIONS)
    guess = written(tmp_path / "guess.jsonl", PREDICTIONS)
    asked = ["--peer", "moment_detr", str(folder), "--csv", str(tmp_path / "cells.csv")]
    status = peer_evaluators.main([*asked, "--moments", "qvhighlights", str(truth), str(guess)])
    with (tmp_path / "cells.csv").open() as file:
        return status, capsys.readouterr().out, list(csv.DictReader(file))


def test_equal_numbers_do_not_differ(tmp_path, capsys):
    status, said, cells = compared(repository(tmp_path / "peer", 0), tmp_path, capsys)
    assert status == 0
    assert f"{len(cells)} cells, 0 differ" in said
    names = {cell["predictions"] for cell in cells}
    assert len(names) == 1 + len(peer_evaluators.CHANGES)
    assert {cell["same"] for cell in cells} == {"True"}
    full = [cell for cell in cells if cell["name"] == "full / MR-R1 / 0.7"]
    assert len({cell["theirs"] for cell in full}) > 1  # each change has an effect


def test_each_number_that_differs_is_listed(tmp_path, capsys):
    status, said, cells = compared(repository(tmp_path / "peer", 1), tmp_path, capsys)
    differing = [cell for cell in cells if cell["same"] == "False"]
    assert status == 1
    assert len(differing) == 1 + len(peer_evaluators.CHANGES)
    assert {cell["name"] for cell in differing} == {"full / MR-R1 / 0.7"}
    assert "differs: moment_detr, qvhighlights, guess.jsonl, full / MR-R1 / 0.7: 101.00" in said


def test_a_group_without_a_moment_is_listed_apart(tmp_path, capsys):
    """The peer prints a number for a group in which no moment is, where rdmf prints null."""
    folder = repository(tmp_path / "peer", 0)
    file = folder / "standalone_eval" / "eval.py"
    text = file.read_text().replace(
        "json.dump(kept", 'kept["long"]["MR-mAP"] = {"0.5": 7.0}\njson.dump(kept'
    )
    file.write_text(text)
    status, said, cells = compared(folder, tmp_path, capsys)
    assert status == 0
    empty = [cell for cell in cells if cell["empty"] == "True"]
    assert {cell["name"] for cell in empty} == {"long / MR-mAP / 0.5"}
    assert "no moment in the group, null in rdmf: moment_detr prints 7.00" in said
    assert f"{len(cells) - len(empty)} cells, 0 differ" in said


def test_an_evaluator_that_fails_is_a_cell_that_differs(tmp_path, capsys):
    folder = repository(tmp_path / "peer", 0)
    (folder / "standalone_eval" / "eval.py").write_text("raise KeyError('long')")
    status, said, cells = compared(folder, tmp_path, capsys)
    assert status == 1
    assert len(cells) == 1 + len(peer_evaluators.CHANGES)
    assert "its evaluator failed (KeyError: 'long'): nan, ours none" in said


def test_the_group_of_long_moments_ends_where_that_of_the_peer_ends(tmp_path, capsys):
    """A moment of 200 s is not in the group of moment_detr, but it is in rdmf's group."""
    rows = with_change(ANNOTATIONS, 2, duration=300, relevant_windows=[[0, 200]],
                       relevant_clip_ids=[0], saliency_scores=[[2, 2, 2]])  # fmt: skip
    guess = with_change(PREDICTIONS, 0, pred_saliency_scores=[0.5] * 150)
    truth, guess = written(tmp_path / "t.jsonl", rows), written(tmp_path / "g.jsonl", guess)
    ours = peer_evaluators.our_moments("qvhighlights", truth, guess)
    assert ours["long / MR-mIoU"] == pytest.approx(6)  # 12 of 200 s
    bounded = peer_evaluators.without_longest("qvhighlights", truth, guess)
    assert bounded["long / MR-mIoU"] is None  # no moment is left in the group


def test_made_windows_lie_in_their_videos():
    rows = [{"qid": qid, "vid": "v", "duration": 49.86, "relevant_windows": [[40.0, 49.8]]}
            for qid in range(50)]  # fmt: skip
    made = peer_evaluators.made_windows(rows)
    windows = peer_evaluators.np.array([row["pred_relevant_windows"] for row in made])
    assert windows.shape == (50, 10, 3)
    assert (windows[..., 1] - windows[..., 0] >= 2).all()
    assert windows[..., 0].min() >= 0
    assert windows[..., 1].max() == 48


@pytest.mark.needs("torch")
def test_scores_of_clips_are_compared_without_the_imports_of_the_file(tmp_path, capsys):
    """The best clip is the only highlight: an AP of 1 in both evaluators."""
    (tmp_path / "peer" / "cg_detr").mkdir(parents=True)
    (tmp_path / "peer" / "cg_detr" / "inference.py").write_text(HIGHLIGHTS)
    rng = peer_evaluators.np.random.default_rng(2)
    best = int(rng.permutation(6).argmax())
    row = {"qid": "v", "query": "dog", "vid": "v", "duration": 6, "domain": "dog",
           "label": [[int(clip == best)] for clip in range(6)]}  # fmt: skip
    truth = written(tmp_path / "truth.jsonl", [row])
    asked = ["--peer", "CG-DETR", str(tmp_path / "peer"), "--csv", str(tmp_path / "cells.csv")]
    peer_evaluators.main([*asked, "--made", "youtube-highlights", str(truth)])
    with (tmp_path / "cells.csv").open() as file:
        first, _ = csv.DictReader(file)
    assert (first["name"], first["theirs"], first["same"]) == ("dog", "100.0", "True")
