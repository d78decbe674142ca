"""What one vendor's table of cells looks like: the usual names of its columns, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from immunosarc.errors import did_you_mean

__all__ = ["Layout", "Places", "placed"]


@dataclass(frozen=True)
class Layout:
    """The usual columns of a vendor, each by the names that its versions gave it.

    Attributes
    ----------
    columns : mapping of str to tuple of str
        ``field_id``, ``cell_id``, ``x``, ``y``, ``region`` or ``phenotype`` -> names in the order of trying.
    box : tuple of tuple of str
        Left, right, top and bottom, where a cell is told by its box and not by its center.
    microns : tuple of str
        Those of the names of ``x`` whose numbers are micrometers; all others are pixels.
    missing : tuple of str
        What the vendor writes for a missing value.
    own : tuple of str
        Columns that sound like a person's and are the vendor's.
    image_of : callable, optional
        From the name of a file to the image that it holds.
    mistaken : mapping of str to str
        A column that shows that this is another kind of file -> what to do.
    """

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    box: tuple[tuple[str, ...], ...] = ()
    microns: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    image_of: Callable[[str], str] | None = None
    mistaken: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Places:
    """The columns of one file: their names as they stand in its header.

    ``x`` and ``y`` hold one column, or the two whose middle is meant.
    """

    x: tuple[str, ...]
    y: tuple[str, ...]
    in_microns: bool
    words: Mapping[str, str]


def placed(
    layout: Layout, declared: Mapping[str, str], header: Sequence[str], *, optional: Sequence[str]
) -> tuple[Places | None, list[str]]:
    """Return where the columns of a file are, and what is missing, as one sentence for each.

    Parameters
    ----------
    layout : Layout
    declared : mapping of str to str
        What the manifest says, which goes before the vendor's usual names.
    header : sequence of str
    optional : sequence of str
        Columns that a file need not have; declared ones it must.
    """
    for name, cure in layout.mistaken.items():
        if name in header:
            return None, [cure]
    problems: list[str] = []
    words: dict[str, str] = {}
    for role in ("sample_id", "field_id", "cell_id", "region", "phenotype"):
        found = _first(role, layout.columns.get(role, ()), declared, header, problems, needed=role not in optional)
        words |= {role: found} if found else {}
    x, y = (_position(role, layout, declared, header, problems) for role in ("x", "y"))
    if problems:
        return None, problems
    in_microns = "x" not in declared and x[0] in layout.microns
    return Places(x, y, in_microns, words), []


def _position(
    role: str, layout: Layout, declared: Mapping[str, str], header: Sequence[str], problems: list[str]
) -> tuple[str, ...]:
    if role in declared or not layout.box:
        return (_first(role, layout.columns.get(role, ()), declared, header, problems, needed=True) or "",)
    sides = layout.box[:2] if role == "x" else layout.box[2:]
    return tuple(_first(role, names, {}, header, problems, needed=True) or "" for names in sides)


def _first(
    role: str,
    names: Sequence[str],
    declared: Mapping[str, str],
    header: Sequence[str],
    problems: list[str],
    *,
    needed: bool,
) -> str | None:
    wanted = (declared[role],) if role in declared else tuple(names)
    found = next((name for name in wanted if name in header), None)
    if found is None and (needed or role in declared):
        if not wanted:
            problems.append(f'no column is known for {role!r}; say columns = {{ {role} = "..." }}')
        else:
            spelled = " or ".join(repr(name) for name in wanted)
            problems.append(
                f"there is no column {spelled} for {role!r}; is the header on the first line? Say "
                f'columns = {{ {role} = "..." }}.{did_you_mean(wanted[0], header)}'
            )
    return found
