"""The flow of a trial as boxes: who entered each step, who went on, why the rest did not."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from immunosarc import schema
from immunosarc.plots._axes import current, fitted_font, plain, say_why, titled
from immunosarc.plots._palette import BLUE, INK, MUTED, VERMILION
from immunosarc.plots._words import counted

__all__ = ["attrition", "flow_steps"]

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_MOST_REASONS = 5
_SPLIT, _SIDE = 0.47, 0.53
_INDENT, _DEEPEST = 0.035, 5
_LABELS = {
    "response": "Response known",
    "durable": "Durable clinical benefit known",
    "pfs6": "Progression-free at 6 months known",
    "pfs": "Progression-free survival known",
    "os": "Overall survival known",
    "pre features": "Features before treatment",
    "on features": "Features on treatment",
    "post features": "Features after treatment",
}
_WRAP_FONT = 8.5
_PAD = 0.55
_GAP = 0.7


def flow_steps(flow: pd.DataFrame) -> pd.DataFrame:
    """Return one row per step of the flow: how many entered, went on, were left out, and why.

    Parameters
    ----------
    flow : DataFrame
        ``schema.ATTRITION``.

    Returns
    -------
    DataFrame
        Columns ``step``, ``level``, ``entered``, ``kept``, ``left_out``, ``reasons`` (text, most
        frequent first; reasons that differ only in their numbers are counted together) and
        ``parent`` (the row of the step that these patients or samples come from, missing for a
        first step).

    Examples
    --------
    >>> flow = pd.DataFrame(
    ...     {"step": "response", "level": "patient", "patient_id": ["P1", "P2"], "sample_id": None,
    ...      "kept": [True, False], "reason": [None, "no scan"]}
    ... )
    >>> flow_steps(flow)[["entered", "kept", "left_out", "reasons"]].to_numpy().tolist()
    [[2, 1, 1, 'no scan (1)']]
    """
    table = schema.ATTRITION.check(flow)
    rows = []
    went_on: list[tuple[str, frozenset[str] | None]] = []
    for (step, level), part in table.groupby(["step", "level"], sort=False):
        kept = part["kept"].to_numpy(bool)
        ids = part["sample_id"] if level == "sample" else part["patient_id"]
        entered = frozenset(ids.dropna()) if level != "row" else frozenset()
        parent = next((i for i, (its, known) in enumerate(went_on) if its == level and known == entered), None)
        went_on.append((str(level), frozenset(ids[kept].dropna()) if level != "row" else None))
        rows.append(
            {
                "step": str(step),
                "level": str(level),
                "entered": len(part),
                "kept": int(kept.sum()),
                "left_out": int((~kept).sum()),
                "reasons": "; ".join(_reasons(part.loc[~kept, "reason"])),
                "parent": parent,
            }
        )
    names = ["step", "level", "entered", "kept", "left_out", "reasons", "parent"]
    return pd.DataFrame(rows, columns=names).astype({"parent": "Int64"})


def _reasons(reasons: pd.Series) -> list[str]:
    texts = reasons.fillna("no reason recorded").astype(str)
    patterns = texts.map(lambda text: _NUMBER.sub("…", text))
    counts = patterns.value_counts(sort=False).sort_values(ascending=False, kind="stable")
    alike = {pattern: texts[patterns == pattern].unique() for pattern in counts.index}
    named = [f"{_in_one(list(alike[pattern]))} ({count})" for pattern, count in counts.items()]
    more = len(named) - _MOST_REASONS
    return named if more <= 0 else [*named[:_MOST_REASONS], f"and {counted(more, 'other reason')}"]


@dataclass(frozen=True)
class _Box:
    """One step, laid out: its lines of text, its top and its height in lines, its left edge."""

    main: list[str]
    side: list[str]
    top: float
    height: float
    left: float
    parent: int | None


def _in_one(texts: list[str]) -> str:
    """Return reasons that differ in numbers only as one; a number that they share stays."""
    numbers = zip(*(_NUMBER.findall(text) for text in texts), strict=True)
    shown = iter(values[0] if len(set(values)) == 1 else "…" for values in numbers)
    return _NUMBER.sub(lambda _: next(shown), texts[0])


def attrition(flow: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the flow of rows, patients and samples through the study, with every loss and its reason.

    A step hangs below the step whose patients (or samples) it starts from; at the right stands who
    was left out there, and why.

    Parameters
    ----------
    flow : DataFrame
        ``schema.ATTRITION``.
    ax : Axes, optional
        Where to draw; pyplot's current Axes when absent. Text shrinks to fit its height.

    Returns
    -------
    Axes

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> flow = pd.DataFrame(
    ...     {"step": "response", "level": "patient", "patient_id": ["P1", "P2"], "sample_id": None,
    ...      "kept": [True, False], "reason": [None, "no scan"]}
    ... )
    >>> [text.get_text() for text in attrition(flow, ax=Figure().add_subplot()).texts]
    ['Response known', '2 patients entered, 1 kept', '1 left out:', 'no scan (1)']
    """
    steps = flow_steps(flow)
    ax = current(ax)
    patients = steps.loc[steps["level"] == "patient", "entered"]
    titled(ax, f"Flow of the study, n = {counted(patients.iloc[0] if len(patients) else 0, 'patient')}", flow)
    if steps.empty:
        return say_why(ax, "no step was recorded")
    boxes = _layout(ax, steps)
    last = max(box.top + box.height for box in boxes.values())
    ax.set_axis_off()
    ax.set_xlim(0, 1)
    ax.set_ylim(last + 0.2, -0.2)
    font = fitted_font(ax, last, largest=_WRAP_FONT)
    for box in boxes.values():
        _draw(ax, box, boxes, font=font)
    return ax


def _families_together(steps: pd.DataFrame) -> list[tuple[int, int]]:
    """Return each step with its depth, every step right after the one that it starts from."""
    waiting = [(i, 0) for i in steps.index[steps["parent"].isna()]][::-1]
    order = []
    while waiting:
        i, depth = waiting.pop()
        order.append((int(i), depth))
        children = steps.index[(steps["parent"] == i).fillna(False).astype(bool)]
        waiting += [(child, depth + 1) for child in children[::-1]]
    return order


def _step_label(step: str) -> str:
    """Return the step in words; the name of a file stays as it is."""
    return _LABELS.get(step, step if set(step) & set("/.") else step[:1].upper() + step[1:])


def _layout(ax: Axes, steps: pd.DataFrame) -> dict[int, _Box]:
    width = ax.get_window_extent().width / ax.figure.dpi * 72
    letters = max(18, int((1 - _SIDE) * width / (0.56 * _WRAP_FONT)))
    boxes: dict[int, _Box] = {}
    top = 0.0
    for i, depth in _families_together(steps):
        row = steps.loc[i]
        parent = None if pd.isna(row["parent"]) else int(row["parent"])
        main = _wrapped(_step_label(row["step"]), letters - 2 * depth)
        main.append(f"{counted(row['entered'], row['level'])} entered, {row['kept']:,} kept")
        side = []
        if row["left_out"]:
            side = [f"{row['left_out']:,} left out:"]
            side += [line for reason in row["reasons"].split("; ") for line in _wrapped(reason, letters)]
        height = max(len(main), len(side)) + 2 * _PAD
        top += _GAP if boxes else 0
        boxes[i] = _Box(main, side, top, height, _INDENT * min(depth, _DEEPEST), parent)
        top += height
    return boxes


def _wrapped(text: str, letters: int) -> list[str]:
    return textwrap.wrap(text, max(letters, 12)) or [""]


def _draw(ax: Axes, box: _Box, boxes: dict[int, _Box], *, font: float) -> None:
    middle = box.top + box.height / 2
    _frame(ax, box, left=box.left, right=_SPLIT, color=BLUE)
    _lines(ax, box.main, left=box.left + 0.015, top=box.top, font=font)
    if box.parent is not None:
        parent = boxes[box.parent]
        stem = parent.left + _INDENT / 2
        ax.plot([stem, stem], [parent.top + parent.height, middle], color=MUTED, linewidth=1)
        _arrow(ax, (stem, middle), (box.left, middle))
    if box.side:
        _frame(ax, box, left=_SIDE, right=1.0, color=VERMILION)
        _lines(ax, box.side, left=_SIDE + 0.015, top=box.top, font=font)
        _arrow(ax, (_SPLIT, middle), (_SIDE, middle))


def _frame(ax: Axes, box: _Box, *, left: float, right: float, color: str) -> None:
    ax.add_patch(
        FancyBboxPatch(
            (left, box.top),
            right - left,
            box.height,
            boxstyle="square,pad=0",
            facecolor=color,
            edgecolor=color,
            alpha=0.09,
            linewidth=0,
        )
    )
    ax.plot([left, left], [box.top, box.top + box.height], color=color, linewidth=2.5, solid_capstyle="butt")


def _lines(ax: Axes, lines: list[str], *, left: float, top: float, font: float) -> None:
    for i, line in enumerate(lines):
        weight = "bold" if i == 0 else "normal"
        ax.text(left, top + _PAD + i + 0.5, plain(line), fontsize=font, fontweight=weight, va="center", color=INK)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=9, color=MUTED, shrinkA=0, shrinkB=0)
    )
