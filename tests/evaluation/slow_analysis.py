"""The causes, the blind baseline and the AUROC a second time: plain loops and exact fractions.

This module shares no code with rdmf_cli. Windows are whole seconds, so every comparison is exact.
"""

from __future__ import annotations

from fractions import Fraction

from brute_force_scores import exact_iou, window_ap

TENTH = Fraction(1, 10)


def overlap(window, moments):
    return max((exact_iou(window, moment) for moment in moments), default=Fraction(0))


def window_causes(windows, truths, others, threshold):
    """Return the cause of each of the first ten windows."""
    causes, free = [], list(range(len(truths)))
    for window in windows[:10]:
        able = [(exact_iou(window, truths[k]), k) for k in free]
        able = [pair for pair in able if pair[0] >= threshold]
        if able:
            causes.append("right")
            free.remove(max(able)[1])
        elif overlap(window, truths) >= threshold:
            causes.append("duplicates")
        elif overlap(window, others) >= threshold:
            causes.append("confusion")
        elif overlap(window, truths) >= TENTH:
            causes.append("localisation")
        else:
            causes.append("elsewhere")
    return causes


def first_cause(causes):
    if not causes:
        return "nothing"
    if causes[0] == "right":
        return "right"
    return "ranking" if "right" in causes else causes[0]


def mended(cause, windows, causes, truths):
    """Return the first ten windows as they would be without the cause."""
    windows = windows[:10]
    if cause == "ranking":
        ordered = sorted(windows, key=lambda window: -overlap(window, truths))  # stable
        return [[start, end, -rank] for rank, (start, end, _) in enumerate(ordered)]
    if cause == "localisation":
        moved = []
        for start, end, score in windows:
            best = max(truths, key=lambda moment, w=(start, end): exact_iou(w, moment))
            near = overlap((start, end), truths) >= TENTH
            moved.append([*(best if near else (start, end)), score])
        return moved
    return [window for window, is_ in zip(windows, causes, strict=True) if is_ != cause]


def scores(queries, truths, threshold):
    """R1 and mAP at the threshold."""
    first = [
        Fraction(overlap(w[0], t) >= threshold) if w else 0
        for w, t in zip(queries, truths, strict=True)
    ]
    precision = [window_ap(w, t, threshold) for w, t in zip(queries, truths, strict=True)]
    return sum(first) / len(queries), sum(precision) / len(queries)


def typical_windows(moments, count):
    """Windows on twentieths that together overlap the moments most, chosen one by one."""
    grid = [Fraction(k, 20) for k in range(21)]
    candidates = [(start, end) for start in grid for end in grid if start < end]
    best, chosen = [Fraction(0)] * len(moments), []
    for _ in range(count):
        left = [window for window in candidates if window not in chosen]
        covered = {
            w: [max(b, exact_iou(w, m)) for b, m in zip(best, moments, strict=True)] for w in left
        }
        chosen.append(
            max(left, key=lambda window: sum(covered[window]))
        )  # of equal values, the first
        best = covered[chosen[-1]]
    return chosen


def auroc(values, positive):
    """Return the probability that a positive has the higher score; equal scores count half."""
    pairs = [
        Fraction(1) if a > b else Fraction(1, 2) if a == b else Fraction(0)
        for a, is_a in zip(values, positive, strict=True)
        if is_a
        for b, is_b in zip(values, positive, strict=True)
        if not is_b
    ]
    return sum(pairs) / len(pairs) if pairs else None
