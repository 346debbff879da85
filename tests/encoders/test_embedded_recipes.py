"""What of the recipes can be checked without the photographs."""

from __future__ import annotations

import json
import sys
from hashlib import sha256
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "weights" / "recipes"))

from data import KINDS, class_sentences, held_out_classes, name_of
from manifest import list_in_manifest


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
