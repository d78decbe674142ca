"""From a study to a folder that opens everywhere: one HTML page, tables, figures, data."""

from immunosarc.report._replication import write_replication
from immunosarc.report._write import write, write_tables

__all__ = ["write", "write_replication", "write_tables"]
