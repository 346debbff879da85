"""One reading, number by number: a change of these numbers changes every answer."""

from __future__ import annotations

import numpy as np
import pytest

from rdmf_cli.channels.background import Background
from rdmf_cli.heads.training_free.head import SimilarityCurve, TrainingFree
from rdmf_cli.heads.training_free.rates import TrainingFreeRates
from rdmf_cli.moments.reading import Reading

RATES = {
    "schema": "rdmf.rates/1",
    "fusion": {
        "D_u": [0.5, 0.3],
        "D_v": [0.3, 0.1],
        "F": [0.05, 0.02],
        "k": [0.1, 0.2],
        "reaction": [3.0, 8.0],
        "threshold": 0.8,
        "softness": 0.7,
        "seed": 0.3,
        "cut": 1.5,
        "steps": 10,
        "dilations": [1, 2],
    },
    "ranking": {
        "inside": [0.05, 0.5, 0.6],
        "around": [-0.03, -0.4, -0.4],
        "sqrt_seconds": -0.02,
        "log_seconds": 0.12,
        "offset": -0.05,
        "dark": -1.5,
    },
    "saliency": {"curves": [0.2, 4.0, 1.0], "offset": -2.0},
    "presence": {"evidence": [3.0], "offset": -1.5},
    "presence_over_background": {"evidence": [1.5, 1.5], "offset": -2.0},
}
SIMILARITY = [0.21, 0.19, 0.22, 0.31, 0.35, 0.33, 0.24, 0.20, 0.18, 0.28, 0.29, 0.20]
CHANGE = [0.10, 0.12, 0.60, 0.11, 0.10, 0.50, 0.12, 0.10, 0.55, 0.08, 0.45]

SPANS = [[6.0599, 12.0515], [7.9295, 11.0447], [5.0574, 13.9665]]
SCORES = [0.71609, 0.4839, 0.48373]
SALIENCY = [
    0.11531,
    0.11473,
    0.13569,
    0.7553,
    0.81446,
    0.79038,
    0.16258,
    0.12934,
    0.1129,
    0.23936,
    0.26684,
    0.11344,
]
PRESENCE = 0.99106


@pytest.fixture(scope="module")
def reading() -> Reading:
    curve = SimilarityCurve(np.array(SIMILARITY), np.array(CHANGE), clip_length=2.0, duration=23.5)
    head = TrainingFree(TrainingFreeRates.model_validate(RATES))
    return head.read_similarity(curve, background=Background(0.25, 0.02), top_k=3)


def test_spans(reading):
    np.testing.assert_allclose(reading.spans, SPANS, atol=1e-3)


def test_scores(reading):
    np.testing.assert_allclose(reading.raw_scores, SCORES, atol=1e-4)


def test_saliency(reading):
    np.testing.assert_allclose(reading.saliency, SALIENCY, atol=1e-4)


def test_presence(reading):
    assert reading.presence == pytest.approx(PRESENCE, abs=1e-4)
