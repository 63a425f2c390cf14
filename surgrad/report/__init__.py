"""One self-contained HTML page per run."""

from surgrad.report.evidence import Evidence, collect, examine
from surgrad.report.page import write_report

__all__ = ["Evidence", "collect", "examine", "write_report"]
