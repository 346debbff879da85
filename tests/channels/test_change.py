"""Edge weights of diffusion: 1 in a steady shot, almost 0 at a cut."""

from __future__ import annotations

import numpy as np
import pytest

from rdmf_cli.channels.change import edges_from_change
from rdmf_cli.errors import RdmfError


def test_edge_weights_fall_with_visual_change() -> None:
    weights = edges_from_change(np.array([0.0, 0.1, 0.2, 4.0]), 0.2)
    assert weights[0] == 1.0
    assert weights[2] == 0.5
    assert (np.diff(weights) < 0).all()
    assert weights[3] < 0.01


def test_a_scale_of_zero_is_refused() -> None:
    with pytest.raises(RdmfError, match="above 0"):
        edges_from_change(np.ones(4), 0.0)
