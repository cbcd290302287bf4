"""The durable record: append-only facts, one writer, and the checks that prove them."""

from journal.backup import backup, restore
from journal.batch import Batch
from journal.crashpoints import reach
from journal.engine import Durability
from journal.journal import Journal
from journal.reader import Reader
from journal.rows import Record
from journal.verify import Check, Verification, verify
from journal.writer import InlineWriter, ThreadWriter, Writer

__all__ = [
    "Batch",
    "Check",
    "Durability",
    "InlineWriter",
    "Journal",
    "Reader",
    "Record",
    "ThreadWriter",
    "Verification",
    "Writer",
    "backup",
    "reach",
    "restore",
    "verify",
]
