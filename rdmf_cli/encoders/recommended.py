"""Recommended encoders, by the needs of users: `rdmf weights fetch better` downloads one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recommended:
    """A model of open_clip, with published facts about the model.

    Attributes:
        choice: The word that a user types.
        name: The model's name for `--encoder`.
        gigabytes: The model's size in float32, computed from its configuration.
        languages: The languages of its captions.
        licence: The licence of its weights, as its model card states it.
        recall: Recall of image search with English sentences in per cent: the mean of recall@1, @5
            and @10 on Crossmodal-3600, from the table in the documentation of immich
            (docs/features/searching); None: the table does not have the model.
        is_first: Whether this model is recommended to users without special needs.
    """

    choice: str
    name: str
    gigabytes: float
    languages: str
    licence: str
    recall: float | None = None
    is_first: bool = False

    def line(self) -> str:
        """Return the choice as one line of `rdmf weights list`."""
        star = "*" if self.is_first else " "
        recall = "recall not known" if self.recall is None else f"recall {self.recall:g} %"
        facts = f"{self.gigabytes:g} GB  {recall:<16}  {self.languages:<7}  {self.licence}"
        return f"{star} {self.choice:<12}  {self.name:<26}  {facts}"


RECOMMENDED = (
    Recommended("small", "MobileCLIP2-S0/dfndr2b", 0.3, "English", "Apple's, for research"),
    Recommended("better", "ViT-B-32/laion2b_s34b_b79k", 0.6, "English", "MIT", 68.8, True),
    Recommended("best", "ViT-B-16-SigLIP2/webli", 1.5, "many", "Apache-2.0", 75.2),
    Recommended("multilingual", "ViT-B-32-SigLIP2-256/webli", 1.5, "many", "Apache-2.0", 73.2),
)


def named(choice: str) -> str:
    """Return the name of a recommended encoder; return any other text unchanged.

    >>> named("better")
    'ViT-B-32/laion2b_s34b_b79k'
    """
    return next((one.name for one in RECOMMENDED if one.choice == choice), choice)
