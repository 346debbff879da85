"""The protocols written a second time: plain loops and exact fractions, one query at a time.

They were written from the published descriptions and share no code with rdmf_cli: slow, and easy to
check. Windows and thresholds are whole seconds and twentieths, so every comparison is exact.
"""

from __future__ import annotations

from fractions import Fraction
from statistics import median_low

TWENTIETHS = {f"{k / 20:g}": Fraction(k, 20) for k in range(6, 20)}
AP_THRESHOLDS = {name: t for name, t in TWENTIETHS.items() if t >= Fraction(1, 2)}


def mean(values):
    values = list(values)
    return sum(values, Fraction(0)) / len(values) if values else None


def percent(values):
    average = mean(values)
    return None if average is None else float(100 * average)


def exact_iou(window, other):
    (start, end), (other_start, other_end) = window[:2], other[:2]
    shared = max(0, min(end, other_end) - max(start, other_start))
    union = (end - start) + (other_end - other_start) - shared
    return Fraction(shared) / Fraction(union) if union else Fraction(0)


def best_of_first(predicted, truths, within):
    return max((exact_iou(p, t) for p in predicted[:within] for t in truths), default=Fraction(0))


def window_ap(predicted, truths, threshold):
    """Area under the precision envelope over recall, step by step."""
    ranked = sorted(predicted[:10], key=lambda window: -window[2])  # stable
    taken, outcome = set(), []
    for window in ranked:
        candidates = [
            (exact_iou(window, truth), place)
            for place, truth in enumerate(truths)
            if place not in taken and exact_iou(window, truth) >= threshold
        ]
        if candidates:
            taken.add(max(candidates)[1])  # of equal overlaps, the later one
        outcome.append(bool(candidates))
    precision = [Fraction(sum(outcome[: k + 1]), k + 1) for k in range(len(outcome))]
    area = sum((max(precision[k:]) for k, hit in enumerate(outcome) if hit), Fraction(0))
    return area / len(truths)


def retrieval(predicted, truths):
    pairs = [(p, t) for p, t in zip(predicted, truths, strict=True) if t]
    overlaps = [best_of_first(p, t, 1) for p, t in pairs]
    fifth = [best_of_first(p, t, 5) for p, t in pairs]
    maps = {
        name: percent(window_ap(p, t, level) for p, t in pairs)
        for name, level in AP_THRESHOLDS.items()
    }
    maps["average"] = percent(
        mean(window_ap(p, t, level) for level in AP_THRESHOLDS.values()) for p, t in pairs
    )
    return {
        "MR-mAP": maps,
        "MR-R1": {
            name: percent(Fraction(iou >= level) for iou in overlaps)
            for name, level in TWENTIETHS.items()
        },
        "MR-R5": {
            name: percent(Fraction(iou >= level) for iou in fifth)
            for name, level in TWENTIETHS.items()
        },
        "MR-mIoU": percent(overlaps),
        "queries": len(pairs),
    }


def moments_by_length(predicted, truths):
    def within(longer, up_to):
        return [[w for w in row if longer < w[1] - w[0] <= up_to] for row in truths]

    return {
        "full": retrieval(predicted, truths),
        "short": retrieval(predicted, within(0, 10)),
        "middle": retrieval(predicted, within(10, 30)),
        "long": retrieval(predicted, within(30, 10**6)),
    }


def clip_ap(scores, labels):
    """Mean interpolated precision over the reached recalls; clips of equal score enter together."""
    if not any(labels):
        return Fraction(0)
    if all(labels):
        return Fraction(1)
    points = []  # (recall, precision) after each distinct score
    for level in sorted(set(scores), reverse=True):
        kept = [label for score, label in zip(scores, labels, strict=True) if score >= level]
        points.append((Fraction(sum(kept), sum(labels)), Fraction(sum(kept), len(kept))))
    recalls = sorted({recall for recall, _ in points if recall})
    return mean(max(p for r, p in points if r >= recall) for recall in recalls)


def qvhighlights_highlights(saliency, marks):
    result = {}
    for name, level in {"Fair": 2, "Good": 3, "VeryGood": 4}.items():
        aps, hits = [], []
        for scores, matrix in zip(saliency, marks, strict=True):
            padded = (list(scores) + [0] * len(matrix))[: len(matrix)]
            for annotator in range(3):
                aps.append(clip_ap(padded, [row[annotator] >= level for row in matrix]))
            top = list(scores).index(max(scores))
            hits.append(Fraction(top < len(matrix) and max(matrix[top]) >= level))
        result[f"HL-min-{name}"] = {"HL-mAP": percent(aps), "HL-Hit1": percent(hits)}
    return result


def suppressed(predicted, threshold, keep):
    kept, left = [], list(predicted)
    while left and len(kept) < keep:
        kept.append(left.pop(0))
        left = [window for window in left if exact_iou(kept[-1], window) <= threshold]
    return kept


def trapezoids(labels):
    positives = sum(labels)
    if not positives:
        return Fraction(0)
    area, hits, recall, precision = Fraction(0), 0, Fraction(0), Fraction(1)
    for rank, label in enumerate(labels, start=1):
        hits += label
        next_recall, next_precision = Fraction(hits, positives), Fraction(hits, rank)
        area += (next_recall - recall) * (precision + next_precision) / 2
        recall, precision = next_recall, next_precision
    return area


def tvsum_video(saliency, labels):
    order = sorted(range(len(labels)), key=lambda clip: -saliency[clip])
    aps = []
    for annotator in range(len(labels[0])):
        column = [row[annotator] for row in labels]
        positive = [mark > median_low(column) for mark in column]
        aps.append(trapezoids([positive[clip] for clip in order[:5]]))
    return mean(aps)


def matched(predicted, truths, level):
    """IoU of the pairs that predictions form in order, each with the best free window."""
    free, pairs = list(truths), []
    for window in predicted:
        if free:
            best = max(
                free, key=lambda moment, w=window: exact_iou(w, moment)
            )  # of equal values, the first
            if exact_iou(window, best) >= level:
                pairs.append(exact_iou(window, best))
                free.remove(best)
    return pairs


def multi_moment(predicted, truths):
    """QV-M²'s metrics of one length group."""
    pairs = [(p, t) for p, t in zip(predicted, truths, strict=True) if t]
    average = [mean(window_ap(p, t, level) for level in AP_THRESHOLDS.values()) for p, t in pairs]
    by_number = {}
    for (_, moments), value in zip(pairs, average, strict=True):
        by_number.setdefault(len(moments), []).append(value)
    groups = [mean(values) for number, values in by_number.items() if number >= 3]
    result = {
        "MR-mAP": {
            "1_tgt_mAP": percent(by_number.get(1, [])),
            "2_tgt_mAP": percent(by_number.get(2, [])),
            ">=3_tgt_mAP": percent(groups),
            "Generalized_mAP": percent(average),
        },
        "queries": len(pairs),
    }
    for k in (1, 2, 3):
        some = [(p[:k], t) for p, t in pairs if len(t) >= k]
        recall = {
            name: [Fraction(len(matched(p, t, level)), k) for p, t in some]
            for name, level in TWENTIETHS.items()
        }
        result[f"MR-R{k}"] = {name: percent(values) for name, values in recall.items()}
        result[f"MR-mR{k}"] = percent(value for values in recall.values() for value in values)
        result[f"MR-mIoU@{k}"] = percent(sum(matched(p, t, 0)) / Fraction(k) for p, t in some)
    return result


def rejection(presence, shown, level):
    """F1 of finding the queries that are shown nowhere, and accuracy."""
    taken = [value > level for value in presence]
    right = sum(not t and not s for t, s in zip(taken, shown, strict=True))
    said, true = taken.count(False), shown.count(False)
    precision = Fraction(right, said) if said else Fraction(0)
    recall = Fraction(right, true) if true else Fraction(0)
    total = precision + recall
    accuracy = Fraction(sum(t == s for t, s in zip(taken, shown, strict=True)), len(shown))
    return 100 * float(2 * precision * recall / total if total else 0), 100 * float(accuracy)


def generalised(predicted, truths, presence):
    """Soccer-GMR's metrics without AUROC; queries may have no moment."""
    shown = [bool(moments) for moments in truths]
    result = {}
    for level in (0.4, 0.6):
        result[f"Rej-F1@{level}"], result[f"Acc@{level}"] = rejection(presence, shown, level)
    pairs = [(p, t) for p, t in zip(predicted, truths, strict=True) if t]
    several = [(p, t) for p, t in pairs if len(t) > 1]
    result["mAP"] = percent(
        window_ap(p, t, level) for p, t in pairs for level in AP_THRESHOLDS.values()
    )
    for k in (1, 3, 5):
        sets = []
        for windows, moments, sure in zip(predicted, truths, presence, strict=True):
            kept = windows[:k] if sure > 0.4 else []
            found = matched(kept, moments, 0)
            union = len(kept) + len(moments) - len(found)
            sets.append(sum(found) / Fraction(union) if union else Fraction(1))
        result[f"G-mIoU@{k}"] = percent(sets)
        counts = [
            (len(matched(p[:k], t, level)), len(t))
            for p, t in pairs
            for level in AP_THRESHOLDS.values()
        ]
        result[f"mR@{k}"] = percent(Fraction(n, of) for n, of in counts)
        result[f"mR+@{k}"] = percent(Fraction(max(n - 1, 0), of - 1) for n, of in counts if of > 1)
        result[f"mIoU@{k}"] = percent(mean(matched(p[:k], t, 0)) or Fraction(0) for p, t in pairs)
        result[f"mIoU+@{k}"] = percent(
            mean(sorted(matched(p[:k], t, 0))[:-1]) or Fraction(0) for p, t in several
        )
    return result
