"""What a daemon's system calls say of each order: written, flushed to the disk, and only then sent.

SIGKILL cannot show a missing flush, for the kernel keeps what was written; the order of the calls can.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

CALLS = "trace=fdatasync,fsync,pwrite64,write,writev,sendto,sendmsg"
STRACE = ("strace", "-f", "--seccomp-bpf", "-y", "-s", "8192", "-e", CALLS)
WALS = ("journal.sqlite-wal", "venue.sqlite-wal")
_LINE = re.compile(r"^(?P<pid>\d+)\s+(?P<rest>.*)$")
_CALL = re.compile(r"^(?P<name>\w+)\((?P<fd>\d+)<(?P<path>[^>]*)>(?P<rest>.*)$", re.DOTALL)
_RESUMED = re.compile(r"^<\.\.\. (?P<name>\w+) resumed>(?P<rest>.*)$")
_ID = re.compile(r"(?:newClientOrderId|clientAlgoId)=(rt[0-9a-z]+)")
_OK = re.compile(r"=\s+\d+(?:\s|$)")
UNFINISHED = "<unfinished ...>"


@dataclass(frozen=True, slots=True)
class Call:
    """One system call on an open file. `begun` and `done` are lines of the trace; without `done` it never returned."""

    name: str
    path: str
    text: str
    begun: int
    done: int | None
    worked: bool


def calls(trace: str) -> Iterator[Call]:
    """Every call, with what was told of its return put together, in the order in which they began."""
    begun: dict[str, tuple[int, re.Match[str]]] = {}
    found: list[Call] = []
    for number, line in enumerate(trace.splitlines()):
        told = _LINE.match(line)
        if told is None:
            continue
        pid, rest = told["pid"], told["rest"]
        resumed = _RESUMED.match(rest)
        if resumed is not None and pid in begun:
            first, call = begun.pop(pid)
            found.append(_call(call, call["rest"] + resumed["rest"], first, number))
            continue
        call_or_none = _CALL.match(rest)
        if call_or_none is None:
            continue
        if rest.endswith(UNFINISHED):
            begun[pid] = (number, call_or_none)
        else:
            found.append(_call(call_or_none, call_or_none["rest"], number, number))
    found += [Call(call["name"], call["path"], call["rest"], first, None, False) for first, call in begun.values()]
    yield from sorted(found, key=lambda each: each.begun)


def _call(call: re.Match[str], text: str, begun: int, done: int) -> Call:
    return Call(call["name"], call["path"], text, begun, done, bool(_OK.search(text.rsplit(")", 1)[-1])))


@dataclass(frozen=True, slots=True)
class Sent:
    """One order's first bytes on the wire, and whether each log had it on the disk by then."""

    client_id: str
    line: int
    flushed: Mapping[str, bool]


def orders_sent(trace: str) -> list[Sent]:
    """Every order that was sent, in order; `flushed` by file of `WALS`."""
    told = list(calls(trace))
    found: dict[str, Sent] = {}
    for call in told:
        if not call.path.startswith(("socket:", "TCP", "UNIX")):
            continue
        for name in _ID.findall(call.text):
            if name not in found:
                found[name] = Sent(name, call.begun, {wal: _was_flushed(told, wal, name, call.begun) for wal in WALS})
    return list(found.values())


def _was_flushed(told: list[Call], wal: str, name: str, before: int) -> bool:
    """Whether a flush of the file returned before a line, and began after the id had been written into it."""
    written = [
        call.done
        for call in told
        if call.name == "pwrite64" and Path(call.path).name == wal and name in call.text and call.done is not None
    ]
    if not written:
        return False
    return any(
        call.worked and call.begun > min(written) and call.done is not None and call.done < before
        for call in told
        if call.name in ("fdatasync", "fsync") and Path(call.path).name == wal
    )
