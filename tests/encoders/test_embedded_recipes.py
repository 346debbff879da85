"""Tests of the recipes that need no photographs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F  # noqa: N812

from rdmf_cli.training.schedule import rate_share_throughout
from recipes.encoder.data import KINDS, class_sentences, held_out_classes, name_of
from recipes.encoder.image import ALIKE, NO_NEGATIVES, Negatives, contrast
from recipes.encoder.learning import Trainer
from recipes.head.pans import FEWEST_CLIPS, MOST_CLIPS, shots
from recipes.manifest import list_in_manifest


def test_the_manifest_keeps_what_others_entered(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(
        json.dumps({"files": {"rates.json": {"sha256": "x"}}, "metrics": {"rates": 1}, "by": "me"})
    )
    (tmp_path / "tower.onnx").write_bytes(b"weights")
    list_in_manifest(tmp_path, {"tower.onnx": "a tower"}, {"metrics": {"text": 2}, "data": "d"})
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["files"]["rates.json"] == {"sha256": "x"}
    assert manifest["files"]["tower.onnx"] == {
        "sha256": sha256(b"weights").hexdigest(),
        "bytes": 7,
        "role": "a tower",
    }
    assert manifest["metrics"] == {"rates": 1, "text": 2}
    assert (manifest["by"], manifest["data"]) == ("me", "d")


def test_a_fifth_of_the_classes_is_held_out_and_always_the_same() -> None:
    labels = [f"class {i % 40}" for i in range(400)]
    held = held_out_classes(labels, "stanford40")
    assert len(held) == 8
    assert held == held_out_classes(labels[::-1], "stanford40")
    assert held != held_out_classes(labels, "sports22")


@pytest.mark.parametrize("kind", ["thing", *KINDS.values()])
def test_class_names_become_sentences(kind: str) -> None:
    said = class_sentences(kind, "ice_hockey")
    assert len(set(said)) == len(said) >= 4
    assert all("ice hockey" in text for text in said)


def test_an_article_fits_its_noun() -> None:
    assert "an accordion" in class_sentences("thing", "accordion")
    assert "a leopard" in class_sentences("thing", "Leopards")
    assert name_of("throwing frisby") == "throwing a frisbee"


def test_contrast_is_the_mean_over_photographs_of_what_is_said_of_each() -> None:
    rows, texts, strangers, other_texts = (
        unit_rows(n, seed) for seed, n in enumerate((3, 6, 2, 4))
    )
    owner = [0, 0, 0, 1, 1, 2]
    said = SimpleNamespace(rows=texts, means=unit_rows(3, 7), owner=torch.tensor(owner))
    said.mean = lambda losses: sum(
        losses[[n for n, of in enumerate(owner) if of == i]].mean() for i in range(3)
    ).div(3)
    others = Negatives(strangers, unit_rows(2, 8), other_texts)
    found = contrast(rows, said, torch.tensor(5.0), others)
    alike = torch.cat([said.means, others.means]) @ torch.cat([texts, other_texts]).T
    assert not (alike > ALIKE).any(), "or the formula below leaves something out"
    all_photos, all_texts = torch.cat([rows, strangers]), torch.cat([texts, other_texts])
    each = [
        -F.log_softmax(5 * rows[of] @ all_texts.T, 0)[n]
        - F.log_softmax(5 * all_photos @ texts[n], 0)[of]
        for n, of in enumerate(owner)
    ]
    assert found.item() == pytest.approx(said.mean(torch.stack(each)).item(), rel=2e-2)  # bfloat16


def test_sentences_like_a_photograph_s_own_do_not_count_against_it() -> None:
    rows, texts, means = unit_rows(2, 0), unit_rows(2, 1), unit_rows(2, 2)
    said = SimpleNamespace(rows=texts, means=means, owner=torch.arange(2), mean=torch.mean)
    nobody, scale = unit_rows(0, 0), torch.tensor(5.0)
    alone = contrast(rows, said, scale, NO_NEGATIVES)
    assert contrast(rows, said, scale, Negatives(nobody, nobody, -means[:1])) > alone
    both = means.sum(0, keepdim=True) * 2  # equally similar to both
    assert contrast(rows, said, scale, Negatives(nobody, nobody, both)) == alone


@given(st.integers(0, 10**6))
def test_shots_fill_a_video_and_no_photograph_follows_itself(seed: int) -> None:
    means = unit_rows(100, 0).numpy()
    found = shots(list(range(100)), means, np.random.default_rng(seed))
    assert found[0].start == 0
    assert FEWEST_CLIPS <= found[-1].end <= MOST_CLIPS
    for before, after in pairwise(found):
        assert before.start < before.end == after.start
        assert before.photo != after.photo
    assert found[-1].start < found[-1].end


def unit_rows(n: int, seed: int) -> torch.Tensor:
    return F.normalize(torch.randn(n, 384, generator=torch.Generator().manual_seed(seed)), dim=-1)


class Copyist(Trainer[torch.nn.Linear, torch.Tensor]):
    """Learns the identity, and stops at a given step."""

    def __init__(self, steps: int = 220, killed_after: int | None = None):
        torch.manual_seed(0)
        tower = torch.nn.Linear(3, 3)
        super().__init__(tower, [{"params": tower.parameters(), "rate": 0.05}], steps)
        self.killed_after = killed_after

    def loss(self, batch: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
        if self.step == self.killed_after:
            raise KeyboardInterrupt
        found = (self.tower(batch) - batch).square().mean()
        return found, {"far": found.item()}


def heard(first: int, end: int) -> Iterator[torch.Tensor]:
    for step in range(first, end):
        yield torch.randn(8, 3, generator=torch.Generator().manual_seed(step))


def test_a_run_that_was_killed_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, killed, again = Copyist(), Copyist(killed_after=150), Copyist()
    whole.run("whole", heard, tmp_path / "whole.pt")
    with pytest.raises(KeyboardInterrupt):
        killed.run("killed", heard, tmp_path / "killed.pt")
    again.run("again", heard, tmp_path / "killed.pt")
    one, other = whole.state(), again.state()
    assert one["step"] == other["step"] == 220
    for name in ("student", "ema"):
        for key, value in one[name].items():
            assert torch.equal(value, other[name][key])
    batch = next(heard(999, 1000))
    assert whole.loss(batch)[0] < Copyist().loss(batch)[0] / 10


def test_the_rate_warms_up_and_falls() -> None:
    shares = [rate_share_throughout(step, 1000, warm_up=100, least=0.02) for step in range(1000)]
    assert shares[0] == pytest.approx(0.01, rel=1e-3)
    assert max(shares) == pytest.approx(0.98, abs=0.01)
    assert all(a > b for a, b in pairwise(shares[100:]))
    assert shares[-1] == pytest.approx(0.02, rel=1e-3)
