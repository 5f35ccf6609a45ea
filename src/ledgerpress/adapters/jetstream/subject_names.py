"""The names of a publication's streams and subjects at the NATS servers."""

from dataclasses import dataclass
from typing import Final

_WITHDRAWAL: Final = "withdrawal."


@dataclass(frozen=True, slots=True)
class SubjectNames:
    """The names of streams and subjects at the servers. `publication` is the publication's name there."""

    publication: str

    @property
    def stream(self) -> str:
        """The stream that is the log."""
        return f"LEDGERPRESS_{self.publication}"

    @property
    def subjects(self) -> str:
        """All subjects of the log."""
        return f"ledgerpress.log.{self.publication}.>"

    @property
    def leader_elected(self) -> str:
        """The subject on which the servers announce a new leader of the log."""
        return f"$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.{self.stream}"

    @property
    def withdrawals(self) -> str:
        """The subjects of withdrawals among them."""
        return f"ledgerpress.log.{self.publication}.*.w.*"

    @property
    def leases_stream(self) -> str:
        """The stream with the registers of the leases."""
        return f"LEDGERPRESS_{self.publication}_LEASES"

    @property
    def leases_subjects(self) -> str:
        """All subjects of the registers."""
        return f"ledgerpress.lease.{self.publication}.*"

    @property
    def head_broadcast(self) -> str:
        """The subject on which nodes announce that the log has grown. Its messages are not stored."""
        return f"ledgerpress.bell.{self.publication}"

    def subject(self, stream: str, withdrawn_from: str = "") -> str:
        """Return the subject of a stream of events; a withdrawal's is next to that of the stream `withdrawn_from`.

        So the last sequence on all subjects of a stream only grows: a withdrawal is later than the event that it withdraws,
        and is never erased.
        """
        if stream.startswith(_WITHDRAWAL):
            return f"{self._of(withdrawn_from)}.w.{_token(stream.removeprefix(_WITHDRAWAL))}"
        return f"{self._of(stream)}.e"

    def guarded(self, stream: str) -> str:
        """Return the subjects of a stream: those of its events and of the withdrawals of its events."""
        if stream.startswith(_WITHDRAWAL):
            return f"ledgerpress.log.{self.publication}.*.w.{_token(stream.removeprefix(_WITHDRAWAL))}"
        return f"{self._of(stream)}.>"

    def stream_of(self, subject: str) -> str:
        """Return the stream whose events are on a subject."""
        token, kind, *event_id = subject[len("ledgerpress.log.") + len(self.publication) + 1 :].split(".")
        return (_WITHDRAWAL + event_id[0] if kind == "w" else token).replace("_", ".")

    def _of(self, stream: str) -> str:
        return f"ledgerpress.log.{self.publication}.{_token(stream) or '_'}"

    def lease(self, name: str) -> str:
        """Return the subject of a lease's register."""
        return f"ledgerpress.lease.{self.publication}.{name}"


def _token(name: str) -> str:
    # The name of a stream has no underscore. One token per stream makes the wildcards simple.
    return name.replace(".", "_")
