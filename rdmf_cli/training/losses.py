"""The losses of a head. Importing this module imports torch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rdmf_cli.heads.learned.torch.batch import Batch
from rdmf_cli.heads.learned.torch.decoder import Decoded
from rdmf_cli.heads.learned.torch.metric import Metrics
from rdmf_cli.heads.learned.torch.network import Network, choose_slots
from rdmf_cli.training.hyperparameters import Hyperparameters
from rdmf_cli.training.targets import NOT_RELEVANT, Targets

NEVER = -99.0  # logit of entries that must not be chosen


def losses(
    network: Network,
    batch: Batch,
    targets: Targets,
    hyper: Hyperparameters,
    unrelated: Batch | None = None,
) -> dict[str, Tensor]:
    """Compute all losses of a batch.

    Args:
        network: the network.
        batch: B queries on B videos of L clips.
        targets: the targets of these queries.
        hyper: weights of the losses.
        unrelated: negatives: queries on videos that do not show the query.

    Returns:
        Scalars by name, and their weighted sum "total". A loss is 0 if the batch has no target for
        it.
    """
    fused = network.fuse(batch)
    slots, slot_mask = choose_slots(network, fused, batch.mask)
    decoded = network.decode(fused, batch.mask, slots, slot_mask)
    parts = {
        "foreground": foreground_loss(fused.pattern, batch.mask, targets),
        "saliency": saliency_loss(fused.saliency, batch.mask, targets, hyper),
        **span_losses(decoded, slots, slot_mask, targets, hyper, network.config.slots),
        "presence": presence_loss(network, fused.presence, targets, unrelated),
    }
    if fused.metric is not None:
        temperature = network.metric.temperature.exp()
        parts["contrast"] = contrast_loss(fused.metric, temperature, batch.mask, targets)
    total = sum(getattr(hyper, name) * part for name, part in parts.items())
    return {"total": torch.as_tensor(total), **parts}


def foreground_loss(pattern: Tensor, mask: Tensor, targets: Targets) -> Tensor:
    """Compute the binary cross entropy of each clip at each scale: in a moment or not.

    Args:
        pattern: (B, 4, L) log-odds.
        mask: (B, L) True at real clips.
        targets: targets of the batch.

    Returns:
        A scalar.
    """
    known = (mask & targets.windowed[:, None]).float()[:, None]
    each = functional.binary_cross_entropy_with_logits(
        pattern.float(), targets.foreground, reduction="none"
    )
    return (each * known).sum() / known.sum().clamp_min(1.0) / 2


def saliency_loss(
    saliency: Tensor, mask: Tensor, targets: Targets, hyper: Hyperparameters
) -> Tensor:
    """Compute the list-wise cross entropy between predicted saliency and annotator ratings.

    Args:
        saliency: (B, L) logits.
        mask: (B, L) True at real clips.
        targets: targets of the batch.
        hyper: the hyperparameters with the temperature.

    Returns:
        A scalar.
    """
    wanted = (targets.saliency * hyper.saliency_temperature).masked_fill(~mask, NEVER)
    known = ((targets.saliency > NOT_RELEVANT) & mask).any(1)
    return _mean(_listwise(saliency, wanted, mask), known)


def presence_loss(
    network: Network, presence: Tensor, targets: Targets, unrelated: Batch | None
) -> Tensor:
    """Compute the binary cross entropy of presence; its gradient reaches only the presence layer.

    Args:
        network: the network.
        presence: (B,) log-odds that the query is shown.
        targets: targets of the batch.
        unrelated: negatives.

    Returns:
        A scalar.
    """
    logits, shown = [presence], [1.0 - targets.absent.float()]
    if unrelated is not None:
        with torch.no_grad():
            features = network.fuse(unrelated).features
        logits.append(network.presence(features, unrelated.mask, unrelated.evidence))
        shown.append(torch.zeros_like(logits[1]))
    return functional.binary_cross_entropy_with_logits(torch.cat(logits), torch.cat(shown))


def contrast_loss(metric: Metrics, temperature: Tensor, mask: Tensor, targets: Targets) -> Tensor:
    """Contrast each query's own clips with all clips of the batch (InfoNCE).

    Args:
        metric: clips (B, L, S) and queries (B, S) in the learned space.
        temperature: scalar factor of the cosines.
        mask: (B, L) True at real clips.
        targets: targets of the batch.

    Returns:
        A scalar.
    """
    match = torch.einsum("bs,cls->bcl", metric.query, metric.clips).float() * temperature
    all_clips = torch.logsumexp(match.masked_fill(~mask, NEVER).flatten(1), 1)
    own = match.diagonal(dim1=0, dim2=1).mT  # (B, L)
    inside = ((targets.foreground[:, 0] > 0) & mask).float()
    each = ((all_clips[:, None] - own) * inside).sum(1) / inside.sum(1).clamp_min(1.0)
    return _mean(each, inside.any(1))


def span_losses(
    decoded: Decoded,
    slots: Tensor,
    slot_mask: Tensor,
    targets: Targets,
    hyper: Hyperparameters,
    kind: str = "pattern",
) -> dict[str, Tensor]:
    """Compute the losses of spans: scores learn the reached IoU, positive slots learn their ends.

    Args:
        decoded: spans (B, K, 2) in clips and scores (B, K).
        slots: (B, K, 2) [start, end] in clips.
        slot_mask: (B, K) True at real slots.
        targets: targets of the batch.
        hyper: temperatures and thresholds.
        kind: "pattern" or "random"; with "random", the best slot of each window is positive, too.

    Returns:
        Scalars "score", "rank", "iou" and "ends".
    """
    usable = slot_mask & targets.spanned[:, None]
    before, nearest = pairwise_iou(slots.detach(), targets.windows).max(-1)
    after = pairwise_iou(decoded.spans, targets.windows)
    reached = after.detach().amax(-1)
    positive = usable & (before > hyper.positive)
    if kind == "random":
        positive |= usable & _best_of_some(pairwise_iou(slots.detach(), targets.windows), targets)
    own = nearest[..., None]
    wanted = targets.windows.gather(1, own.expand(-1, -1, 2))
    width = (wanted[..., 1] - wanted[..., 0]).clamp_min(1.0)
    missed = (decoded.spans - wanted).abs().sum(-1) / width
    return {
        **_score_losses(decoded.scores, target_score(reached, hyper), usable, targets, hyper),
        "iou": _mean(1.0 - after.gather(-1, own)[..., 0], positive),
        "ends": _mean(missed, positive),
    }


def _score_losses(
    scores: Tensor, wanted_scores: Tensor, usable: Tensor, targets: Targets, hyper: Hyperparameters
) -> dict[str, Tensor]:
    each = functional.binary_cross_entropy_with_logits(
        scores.float(), wanted_scores, reduction="none"
    )
    wanted = (wanted_scores * hyper.rank_temperature).masked_fill(~usable, NEVER)
    rank = _listwise(scores, wanted, usable)
    return {"score": _mean(each, usable), "rank": _mean(rank, targets.spanned)}


def target_score(iou: Tensor, hyper: Hyperparameters) -> Tensor:
    """Compute the target score of a slot: the mean of its IoU and of its rescaled IoU.

    Args:
        iou: (...) IoU that the span of the slot reaches.
        hyper: `iou_floor` and `iou_range`; rescaling maps an IoU of `iou_floor` to 0 and an IoU of
            `iou_floor + iou_range` to 1.

    Returns:
        (...) in [0, 1].
    """
    passed = ((iou - hyper.iou_floor) / hyper.iou_range).clamp(0.0, 1.0)
    return (iou + passed) / 2


def pairwise_iou(spans: Tensor, windows: Tensor) -> Tensor:
    """Compute the IoU of every span with every window.

    Args:
        spans: (B, K, 2) [start, end].
        windows: (B, G, 2) [start, end].

    Returns:
        (B, K, G).
    """
    first = torch.maximum(spans[:, :, None, 0], windows[:, None, :, 0])
    last = torch.minimum(spans[:, :, None, 1], windows[:, None, :, 1])
    common = (last - first).clamp_min(0.0)
    one, other = spans.diff(dim=-1), windows.diff(dim=-1).mT  # (B, K, 1), (B, 1, G)
    return common / (one + other - common).clamp_min(1e-6)


def _best_of_some(iou: Tensor, targets: Targets) -> Tensor:
    """Return (B, K): True at the slot nearest to each window: each window has a positive slot."""
    best = iou.argmax(1, keepdim=True)  # (B, 1, G)
    chosen = torch.zeros_like(iou, dtype=torch.bool).scatter(1, best, targets.window_mask[:, None])
    return chosen.any(-1)


def _listwise(logits: Tensor, wanted: Tensor, mask: Tensor) -> Tensor:
    """Return (B,): cross entropy of two distributions over the real entries of each row."""
    reached = torch.log_softmax(logits.float().masked_fill(~mask, NEVER), 1)
    return -(torch.softmax(wanted, 1) * reached * mask).sum(1)


def _mean(each: Tensor, where: Tensor) -> Tensor:
    """Average over the entries with `where` True; 0 if there are no such entries."""
    chosen = where.to(each.dtype)
    return (each * chosen).sum() / chosen.sum().clamp_min(1.0)
