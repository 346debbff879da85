"""The file of rates: it is shipped and checked, and the head uses its numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rdmf_cli.errors import RdmfError
from rdmf_cli.heads.training_free.head import SimilarityCurve, TrainingFree
from rdmf_cli.heads.training_free.rates import TrainingFreeRates, load_rates, shipped_rates


@pytest.fixture
def shipped() -> dict:
    return json.loads(shipped_rates().read_text(encoding="utf-8"))


def written(tmp_path, content: dict):
    path = tmp_path / "rates.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_the_shipped_rates_load_and_say_what_made_them():
    rates = load_rates()
    assert rates.fusion.rates.channels == rates.fusion.channels
    assert {"command", "data", "seed", "draws", "train_out_of_fold"} <= set(rates.made_by)


def test_what_lies_inside_helps_and_what_lies_around_harms():
    ranking = load_rates().ranking
    assert min(ranking.inside) >= 0
    assert max(ranking.around) <= 0


def test_rates_survive_their_file(tmp_path, shipped):
    path = written(tmp_path, shipped)
    assert load_rates(path) == load_rates()
    assert TrainingFreeRates.model_validate_json(load_rates().model_dump_json(by_alias=True))


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        (("fusion", "D_v"), [0.1] * 9, "fusion"),
        (("fusion", "softness"), 0, "softness"),
        (("fusion", "steps"), -1, "steps"),
        (("ranking", "inside"), [1.0], "inside"),
        (("saliency", "curves"), [1.0], "curves"),
        (("schema",), "rdmf.rates/9", "schema"),
        (("surprise",), 1, "surprise"),
    ],
)
def test_wrong_rates_are_refused_by_name(tmp_path, shipped, place, value, named):
    *folder, name = place
    part = shipped
    for key in folder:
        part = part[key]
    part[name] = value
    path = written(tmp_path, shipped)
    with pytest.raises(RdmfError, match=named) as caught:
        load_rates(path)
    assert caught.value.subject == str(path)


def test_no_file_and_no_json_are_errors_a_user_can_read(tmp_path):
    with pytest.raises(RdmfError, match="cannot be read"):
        TrainingFree.load(tmp_path / "none.json")
    broken = tmp_path / "broken.json"
    broken.write_bytes(b"\xff{")
    with pytest.raises(RdmfError, match="not a valid file"):
        TrainingFree.load(broken)


def test_diffusion_the_scheme_cannot_keep_positive_is_refused(tmp_path, shipped):
    shipped["fusion"]["D_v"] = [0.9] * len(shipped["fusion"]["D_v"])
    with pytest.raises(RdmfError, match="D_v"):
        load_rates(written(tmp_path, shipped))


def test_one_channel_is_enough(tmp_path, shipped):
    for name in ("D_u", "D_v", "F", "k", "reaction"):
        shipped["fusion"][name] = shipped["fusion"][name][:1]
    for part, name in (("ranking", "inside"), ("ranking", "around"), ("saliency", "curves")):
        shipped[part][name] = shipped[part][name][:2]
    curve = SimilarityCurve(np.r_[0, 0, 1, 1, 0], clip_length=2)
    reading = TrainingFree.load(written(tmp_path, shipped)).read_similarity(curve)
    assert reading.v.shape == (1, 5)
