"""A figure as SVG text: the same bytes each time, with a title, and ids of its own."""

from __future__ import annotations

import io
import re
from html import escape

import matplotlib
from matplotlib.figure import Figure

__all__ = ["STYLE", "inline", "render"]

STYLE = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
    "hatch.linewidth": 0.8,
}
"""Text stays text; Verdana has the same widths where DejaVu Sans is not installed."""

_FONTS = "DejaVu Sans, Verdana, sans-serif"
_HEAD = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_COMMENT = re.compile(r"\s*<!--.*?-->", re.DOTALL)
_INDENT = re.compile(r">\s*\n\s*<")
_TAG = re.compile(r"<[^>]*>")
_POINTER = re.compile(r'(?:url\(#|href="#)([^")]+)')
_ID = re.compile(r'\sid="([^"]*)"')
_TARGET = re.compile(r'(?<=\sid=")|(?<=url\(#)|(?<=href="#)')
_NUMBERS = re.compile(r'(?<=\s[dxy]=")[^"]*(?=")')
_UNTURNED = re.compile(r' transform="rotate\(-0 [^)]*\)"')
_FAMILY = re.compile(r" font-family: 'DejaVu Sans'[^;\"]*;")
_NAMESPACE = re.compile(r'\s+xmlns(?::xlink)?="[^"]*"')
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")


def render(figure: Figure, *, name: str, title: str) -> str:
    """Return a figure as a stand-alone SVG file.

    Parameters
    ----------
    figure : Figure
        Drawn already, under :data:`STYLE`.
    name : str
        Makes the ids differ from those of any other figure on the page.
    title : str
        What a screen reader says.

    Returns
    -------
    str
    """
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", bbox_inches="tight", pad_inches=0.08)
    svg = _COMMENT.sub("", _METADATA.sub("", buffer.getvalue()))
    wanted = set(_POINTER.findall(svg))
    svg = _TAG.sub(lambda tag: _tidy(tag.group(), name=name, wanted=wanted), _INDENT.sub(">\n<", svg))
    label = escape(title, quote=True)
    head = svg.index("<svg")
    opened = svg.index(">", head)
    about = f'font-family="{_FONTS}" role="img" aria-label="{label}"'
    return f"{svg[:opened]} {about}><title>{label}</title>{svg[opened + 1 :]}"


def _tidy(tag: str, *, name: str, wanted: set[str]) -> str:
    """Return a tag whose ids are the figure's own, without what says nothing: half of the bytes."""
    tag = _ID.sub(lambda found: found.group() if found.group(1) in wanted else "", tag)
    tag = _FAMILY.sub("", _UNTURNED.sub("", tag))
    return _NUMBERS.sub(_short, _TARGET.sub(f"{name}-", tag))


def _short(numbers: re.Match[str]) -> str:
    """Return places with hundredths of a point: the eye sees no more."""
    return _LONG_NUMBER.sub(lambda number: f"{float(number.group()):.2f}", numbers.group())


def inline(svg: str) -> str:
    """Return the SVG as part of an HTML page: no declaration, no namespace, no reference to outside."""
    return _NAMESPACE.sub("", _HEAD.sub("", svg)).replace("xlink:href", "href")
