"""The films and answers that a node is responsible for, in folders on disk.

Each film has a folder of its own, named by its SOP Instance UID. The folder it lies in is its state, and a rename is
the only way from one state to the next, so a crash or a power cut leaves every film in exactly one:

    arriving/   being written; not acknowledged, and removed at the next start
    received/   acknowledged; film.dcm waits to be read
    answered/   report.dcm and overlay.dcm wait to be delivered; each is removed once it is
    delivered/  all done; only the digest is kept, to recognise the film if it is sent again
    refused/    not answered; digest and reason are kept
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import Path

from pneumo_infer.errors import PneumoError
from pneumo_infer.files.durable import sync_folder, write_durably
from pneumo_infer.files.file_lock import lock_if_supported

ARRIVING = "arriving"
FILM, DIGEST, REASON = "film.dcm", "sha256", "reason"


class State(StrEnum):
    """Where a film is on its way."""

    RECEIVED = "received"
    ANSWERED = "answered"
    DELIVERED = "delivered"
    REFUSED = "refused"


class Receipt(Enum):
    """What became of an object that was sent to the node."""

    NEW = "new"
    KNOWN = "known"  # sent before, with the same content
    CONFLICT = "conflict"  # sent before, with other content
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Entry:
    """The folder of a film."""

    folder: Path

    @property
    def uid(self) -> str:
        """The film's SOP Instance UID."""
        return self.folder.name

    @property
    def film(self) -> Path:
        """The film's file."""
        return self.folder / FILM

    def answers(self) -> list[Path]:
        """List the answers that are not delivered yet."""
        return sorted(path for path in self.folder.glob("*.dcm") if path.name != FILM)


class Spool:
    """Films on their way; safe to use from several threads of one process.

    Parameters
    ----------
    root
        The folder of the spool. It holds images and names of patients, so it is created for this user alone.
    limit
        Bytes that films and answers on their way may take together.

    Raises
    ------
    PneumoError
        Another process uses the spool.
    OSError
        The folder cannot be written.
    """

    def __init__(self, root: Path, limit: int) -> None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock_descriptor = os.open(root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        if not lock_if_supported(self._lock_descriptor):
            os.close(self._lock_descriptor)
            raise PneumoError(str(root), "another pneumo-serve uses this spool", "stop it, or give another --spool")
        self._root, self._limit = root, limit
        self._lock = threading.Lock()
        self._news = {State.RECEIVED: threading.Event(), State.ANSWERED: threading.Event()}
        shutil.rmtree(root / ARRIVING, ignore_errors=True)
        for name in (ARRIVING, *State):
            (root / name).mkdir(exist_ok=True)
        sync_folder(root)
        on_their_way = [root / state for state in self._news]
        self._used = sum(_size(path) for state in on_their_way for path in state.glob("*/*.dcm"))
        self.wake()

    def accept(self, uid: str, parts: Sequence[bytes | memoryview], digest: str) -> Receipt:
        """Take responsibility for a film: once this returns `NEW`, it is on disk and will be answered or refused.

        Parameters
        ----------
        uid
            Its SOP Instance UID, digits and dots only.
        parts
            The contents of its file.
        digest
            What decides whether two films with this UID have the same content.
        """
        size = sum(len(part) for part in parts)
        with self._lock:
            known = self._digest(uid)
            if known is not None:
                return Receipt.KNOWN if known == digest else Receipt.CONFLICT
            if self._used + size > self._limit:
                return Receipt.FULL
            arriving = Entry(self._root / ARRIVING / uid)
            shutil.rmtree(arriving.folder, ignore_errors=True)  # of an attempt that failed
            arriving.folder.mkdir()
            write_durably(arriving.film, parts)
            write_durably(arriving.folder / DIGEST, [digest.encode()])
            self._move(arriving, State.RECEIVED)
            self._used += size
        return Receipt.NEW

    def waiting(self, state: State) -> list[Entry]:
        """List the films in a state, those first that have been in it for longest."""
        with os.scandir(self._root / state) as folders:
            by_age = sorted((folder.stat().st_mtime_ns, folder.path) for folder in folders)
        return [Entry(Path(path)) for _, path in by_age]

    def wait(self, state: State, seconds: float) -> None:
        """Wait until a film has come into a state since the last call, `wake` is called, or this time has passed."""
        self._news[state].wait(seconds)
        self._news[state].clear()

    def wake(self) -> None:
        """End all waiting."""
        for news in self._news.values():
            news.set()

    def answer(self, entry: Entry, answers: Mapping[str, bytes]) -> None:
        """Store the answers to a received film, by file name, for delivery. The film is no longer needed."""
        for name, content in answers.items():
            with self._lock:
                self._used += len(content) - _size(entry.folder / name)  # there already if it was interrupted before
            write_durably(entry.folder / name, [content])
        self._remove(self._move(entry, State.ANSWERED).film)

    def delivered(self, answer: Path) -> None:
        """Remove an answer that has been delivered."""
        self._remove(answer)

    def finish(self, entry: Entry) -> None:
        """End the way of a film whose answers have all been delivered."""
        self._end(entry, State.DELIVERED)

    def refuse(self, entry: Entry, reason: str) -> None:
        """End the way of a received film that will not be answered."""
        write_durably(entry.folder / REASON, [f"{reason}\n".encode(errors="backslashreplace")])
        self._end(entry, State.REFUSED)

    def drop(self, entry: Entry) -> None:
        """Remove a received object as if it had never been sent."""
        with self._lock:
            self._used -= sum(_size(path) for path in entry.folder.glob("*.dcm"))
            shutil.rmtree(entry.folder.rename(self._root / ARRIVING / entry.uid))

    def forget(self, days: float) -> None:
        """Forget films that were delivered or refused more than this number of days ago.

        If they are sent again, they are answered again, with the same UIDs.
        """
        oldest = time.time() - days * 86_400
        for state in (State.DELIVERED, State.REFUSED):
            for entry in self.waiting(state):
                if entry.folder.stat().st_mtime < oldest:
                    shutil.rmtree(entry.folder)

    def close(self) -> None:
        """Let another process use the spool."""
        os.close(self._lock_descriptor)

    def _digest(self, uid: str) -> str | None:
        for state in State:
            try:
                return (self._root / state / uid / DIGEST).read_text()
            except FileNotFoundError:
                continue
        return None

    def _end(self, entry: Entry, state: State) -> None:
        for path in self._move(entry, state).folder.glob("*.dcm"):
            self._remove(path)

    def _move(self, entry: Entry, state: State) -> Entry:
        """Put a film into a state; on disk, its files come before its new place."""
        sync_folder(entry.folder)
        moved = Entry(entry.folder.rename(self._root / state / entry.uid))
        sync_folder(self._root / state)
        sync_folder(entry.folder.parent)
        if state in self._news:
            self._news[state].set()
        return moved

    def _remove(self, path: Path) -> None:
        with self._lock:
            self._used -= _size(path)
            path.unlink(missing_ok=True)  # it may have been removed before a crash


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
