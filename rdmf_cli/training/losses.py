"""What a head is trained to lower. Importing this module imports torch."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from rdmf_cli.heads.learned.torch.batch import Batch
from rdmf_cli.heads.learned.torch.decoder import Decoded
from rdmf_cli.heads.learned.torch.metric import Metrics
from rdmf_cli.heads.learned.torch.network import Network, choose_slots
from rdmf_cli.moments.types import Record
from rdmf_cli.training.targets import NOT_RELEVANT, Targets

NEVER = -99.0  # the logit of what cannot be chosen

Weight = Annotated[float, Field(ge=0)]
Chance = Annotated[float, Field(ge=0, le=1)]


class Recipe(Record):
    """How a head learns: the weight of each loss, and what else may be tuned."""

    foreground: Weight = 1.0
    saliency: Weight = 0.5
    score: Weight = 2.0
    rank: Weight = 0.5
    iou: Weight = 1.0
    ends: Weight = 0.2
    contrast: Weight = 0.3
    presence: Weight = 0.3

    saliency_temperature: float = 1.5
    rank_temperature: float = 8.0
    worth_from: float = Field(default=0.45, description="IoU that a score takes for nothing")
    worth_range: float = Field(default=0.5, description="and how much more it takes for all")
    positive: float = Field(default=0.4, description="IoU above which a slot learns its ends")

    plain_query: Chance = Field(default=0.34, description="of the query itself, not reworded")
    backwards: Chance = Field(default=0.5, description="that a video runs backwards")
    cropped: Chance = Field(default=0.3, description="that only a part of a video is shown")
    thinned: Chance = Field(default=0.5, description="that clips are left out")
    most_thinned: Chance = Field(default=0.3, description="and of how many, at most")
    mismatched: Chance = Field(default=0.25, description="that a video meets another's query")
    no_background: Chance = Field(default=0.25, description="that evidence is held back")


def losses(
    network: Network, batch: Batch, targets: Targets, recipe: Recipe, unrelated: Batch | None = None
) -> dict[str, Tensor]:
    """All losses by name and their weighted sum, "total"; 0 for what a batch cannot teach.

    unrelated: queries on videos that do not show them
    """
    fused = network.fuse(batch)
    slots, slot_mask = choose_slots(network, fused, batch.mask)
    decoded = network.decode(fused, batch.mask, slots, slot_mask)
    parts = {
        "foreground": foreground_loss(fused.pattern, batch.mask, targets),
        "saliency": saliency_loss(fused.saliency, batch.mask, targets, recipe),
        **span_losses(decoded, slots, slot_mask, targets, recipe, network.config.slots),
        "presence": presence_loss(network, fused.presence, targets, unrelated),
    }
    if fused.metric is not None:
        temperature = network.metric.temperature.exp()
        parts["contrast"] = contrast_loss(fused.metric, temperature, batch.mask, targets)
    total = sum(getattr(recipe, name) * part for name, part in parts.items())
    return {"total": torch.as_tensor(total), **parts}


def foreground_loss(pattern: Tensor, mask: Tensor, targets: Targets) -> Tensor:
    """Each clip in or out of a moment, at each scale."""
    known = (mask & targets.windowed[:, None]).float()[:, None]
    each = functional.binary_cross_entropy_with_logits(
        pattern.float(), targets.foreground, reduction="none"
    )
    return (each * known).sum() / known.sum().clamp_min(1.0) / 2


def saliency_loss(saliency: Tensor, mask: Tensor, targets: Targets, recipe: Recipe) -> Tensor:
    """The clips of a video compete, and should win by their marks."""
    wanted = (targets.saliency * recipe.saliency_temperature).masked_fill(~mask, NEVER)
    known = ((targets.saliency > NOT_RELEVANT) & mask).any(1)
    return _mean(_listwise(saliency, wanted, mask), known)


def presence_loss(
    network: Network, presence: Tensor, targets: Targets, unrelated: Batch | None
) -> Tensor:
    """Shown or not; its gradient stays within the presence head."""
    logits, shown = [presence], [1.0 - targets.absent.float()]
    if unrelated is not None:
        with torch.no_grad():
            features = network.fuse(unrelated).features
        logits.append(network.presence(features, unrelated.mask, unrelated.evidence))
        shown.append(torch.zeros_like(logits[1]))
    return functional.binary_cross_entropy_with_logits(torch.cat(logits), torch.cat(shown))


def contrast_loss(metric: Metrics, temperature: Tensor, mask: Tensor, targets: Targets) -> Tensor:
    """Each query's own clips against every clip of the batch."""
    match = torch.einsum("bs,cls->bcl", metric.query, metric.clips).float() * temperature
    rivals = torch.logsumexp(match.masked_fill(~mask, NEVER).flatten(1), 1)
    own = match.diagonal(dim1=0, dim2=1).mT  # (B, L)
    lit = ((targets.foreground[:, 0] > 0) & mask).float()
    each = ((rivals[:, None] - own) * lit).sum(1) / lit.sum(1).clamp_min(1.0)
    return _mean(each, lit.any(1))


def span_losses(
    decoded: Decoded,
    slots: Tensor,
    slot_mask: Tensor,
    targets: Targets,
    recipe: Recipe,
    kind: str = "pattern",
) -> dict[str, Tensor]:
    """Slots score the IoU they will reach; those that overlap a moment learn its ends."""
    usable = slot_mask & targets.spanned[:, None]
    before, nearest = overlaps(slots.detach(), targets.windows).max(-1)
    after = overlaps(decoded.spans, targets.windows)
    reached = after.detach().amax(-1)
    positive = usable & (before > recipe.positive)
    if kind == "random":
        positive |= usable & _best_of_some(overlaps(slots.detach(), targets.windows), targets)
    own = nearest[..., None]
    wanted = targets.windows.gather(1, own.expand(-1, -1, 2))
    width = (wanted[..., 1] - wanted[..., 0]).clamp_min(1.0)
    missed = (decoded.spans - wanted).abs().sum(-1) / width
    return {
        **_score_losses(decoded.scores, worth(reached, recipe), usable, targets, recipe),
        "iou": _mean(1.0 - after.gather(-1, own)[..., 0], positive),
        "ends": _mean(missed, positive),
    }


def _score_losses(
    scores: Tensor, worths: Tensor, usable: Tensor, targets: Targets, recipe: Recipe
) -> dict[str, Tensor]:
    each = functional.binary_cross_entropy_with_logits(scores.float(), worths, reduction="none")
    wanted = (worths * recipe.rank_temperature).masked_fill(~usable, NEVER)
    rank = _listwise(scores, wanted, usable)
    return {"score": _mean(each, usable), "rank": _mean(rank, targets.spanned)}


def worth(iou: Tensor, recipe: Recipe) -> Tensor:
    """What a slot of that IoU should score: between the IoU and how far it passes thresholds."""
    passed = ((iou - recipe.worth_from) / recipe.worth_range).clamp(0.0, 1.0)
    return (iou + passed) / 2


def overlaps(spans: Tensor, windows: Tensor) -> Tensor:
    """(B, K, G): IoU of spans (B, K, 2) and windows (B, G, 2)."""
    first = torch.maximum(spans[:, :, None, 0], windows[:, None, :, 0])
    last = torch.minimum(spans[:, :, None, 1], windows[:, None, :, 1])
    common = (last - first).clamp_min(0.0)
    one, other = spans.diff(dim=-1), windows.diff(dim=-1).mT  # (B, K, 1), (B, 1, G)
    return common / (one + other - common).clamp_min(1e-6)


def _best_of_some(iou: Tensor, targets: Targets) -> Tensor:
    """(B, K): the slot nearest to some window, so that each window teaches a slot."""
    best = iou.argmax(1, keepdim=True)  # (B, 1, G)
    chosen = torch.zeros_like(iou, dtype=torch.bool).scatter(1, best, targets.window_mask[:, None])
    return chosen.any(-1)


def _listwise(logits: Tensor, wanted: Tensor, mask: Tensor) -> Tensor:
    """(B,): cross entropy of two distributions over the real entries of each row."""
    reached = torch.log_softmax(logits.float().masked_fill(~mask, NEVER), 1)
    return -(torch.softmax(wanted, 1) * reached * mask).sum(1)


def _mean(each: Tensor, where: Tensor) -> Tensor:
    """The mean of those that count; 0 where none does."""
    chosen = where.to(each.dtype)
    return (each * chosen).sum() / chosen.sum().clamp_min(1.0)
