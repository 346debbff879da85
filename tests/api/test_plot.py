"""Answer.plot()."""

from __future__ import annotations

import builtins

import matplotlib
import pytest
from sample_answers import empty_answer, sample_answer

from rdmf_cli import Answer, MissingExtra

matplotlib.use("agg")


@pytest.fixture
def answer() -> Answer:
    return Answer.model_validate(sample_answer().model_dump())


def test_the_curve_and_the_ranks_of_the_moments(answer):
    from matplotlib import pyplot

    axes = answer.plot()
    (curve,) = axes.patches[:1]
    values, edges, _ = curve.get_data()
    assert list(values) == list(answer.saliency)
    assert list(edges[:-1]) == pytest.approx(answer.times)
    assert {text.get_text() for text in axes.texts} == {"1", "2", "3", "4", "5"}
    assert "presence 0.83" in axes.get_title(loc="left")
    pyplot.close(axes.figure)


def test_axes_of_the_caller_are_used(answer):
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    assert answer.plot(axes) is axes


def test_an_answer_without_moments_is_an_empty_curve():
    from matplotlib.figure import Figure

    answer = Answer.model_validate(empty_answer().model_dump())
    assert not answer.plot(Figure().add_subplot()).texts


def test_without_matplotlib_the_error_names_the_package(answer, monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtra, match=r"pip install matplotlib"):
        answer.plot()
