"""The stream that is a publication's log: its names and leader, and what this process knows of it."""

from ledgerpress.adapters.jetstream.connection_and_request_reply import Connection
from ledgerpress.adapters.jetstream.stream_heads import StreamHeads
from ledgerpress.adapters.jetstream.stream_leader_api import LeaderRequests
from ledgerpress.adapters.jetstream.subject_names import SubjectNames
from ledgerpress.adapters.jetstream.withdrawal_index import WithdrawalIndex


class LogStream:
    """A stream, as those who read it and write to it share it."""

    def __init__(self, connection: Connection, names: SubjectNames, publication: str) -> None:
        self.connection = connection
        self.names = names
        self.publication = publication
        self.leader = LeaderRequests(connection, names.stream)
        self.withdrawals = WithdrawalIndex(self.leader, names)
        self.heads = StreamHeads(self.leader, names, self.withdrawals)
