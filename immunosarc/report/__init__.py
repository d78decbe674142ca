"""From a study to a folder that opens everywhere: one HTML page, tables, figures, data."""

from immunosarc.report._write import write

__all__ = ["write"]
