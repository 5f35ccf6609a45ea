"""The names of a publication's streams and subjects on the NATS servers."""

from typing import Final

_WITHDRAWAL: Final = "withdrawal."


class SubjectNames:
    """The names of streams and subjects on the servers. `publication` is the publication's name in the `nats:` URL."""

    def __init__(self, publication: str) -> None:
        self.stream = f"LEDGERPRESS_{publication}"
        """The stream that contains the log."""
        self._prefix = f"ledgerpress.log.{publication}."
        self.subjects = f"{self._prefix}>"
        """All subjects of the log."""
        self.withdrawals = f"{self._prefix}*.w.*"
        """The subjects of all withdrawals in the log."""
        self.leader_elected = f"$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.{self.stream}"
        """The subject on which the servers announce a new leader of the log."""
        self.leases_stream = f"{self.stream}_LEASES"
        """The stream with the registers of the leases."""
        self.leases_subjects = f"ledgerpress.lease.{publication}.*"
        """All subjects of the registers."""
        self.head_broadcast = f"ledgerpress.bell.{publication}"
        """The subject on which nodes announce that the log has grown. Its messages are not stored."""

    def subject(self, stream: str, withdrawn_from: str = "") -> str:
        """Return the subject of a stream of events. A withdrawal's subject is next to the subject of `withdrawn_from`.

        So the last sequence on all subjects of a stream only grows: a withdrawal is later than the event that it
        withdraws, and is never erased.
        """
        if stream.startswith(_WITHDRAWAL):
            return f"{self._of(withdrawn_from)}.w.{_token(stream.removeprefix(_WITHDRAWAL))}"
        return f"{self._of(stream)}.e"

    def guarded(self, stream: str) -> str:
        """Return a pattern that matches the subjects of a stream's events and of their withdrawals."""
        if stream.startswith(_WITHDRAWAL):
            return f"{self._prefix}*.w.{_token(stream.removeprefix(_WITHDRAWAL))}"
        return f"{self._of(stream)}.>"

    def stream_of(self, subject: str) -> str:
        """Return the stream of the events on a subject."""
        token, kind, *event_id = subject[len(self._prefix) :].split(".")
        return (_WITHDRAWAL + event_id[0] if kind == "w" else token).replace("_", ".")

    def _of(self, stream: str) -> str:
        return f"{self._prefix}{_token(stream) or '_'}"

    def lease(self, name: str) -> str:
        """Return the subject of a lease's register."""
        return self.leases_subjects.replace("*", name)


def _token(name: str) -> str:
    # Names of streams contain no underscores, so this can be reversed. One token per stream makes the wildcards simple.
    return name.replace(".", "_")
