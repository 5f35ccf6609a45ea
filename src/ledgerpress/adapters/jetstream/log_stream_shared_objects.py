"""The stream that contains a publication's log, with its names, its leader and this process's caches."""

from ledgerpress.adapters.jetstream.connection_and_request_reply import Connection
from ledgerpress.adapters.jetstream.stream_heads import StreamHeads
from ledgerpress.adapters.jetstream.stream_leader_api import LeaderRequests
from ledgerpress.adapters.jetstream.subject_names import SubjectNames
from ledgerpress.adapters.jetstream.withdrawal_index import WithdrawalIndex


class LogStream:
    """The objects of one stream that its readers and writers share."""

    def __init__(self, connection: Connection, names: SubjectNames, publication: str) -> None:
        self.connection = connection
        self.names = names
        self.publication = publication
        self.leader = LeaderRequests(connection, names.stream)
        self.withdrawals = WithdrawalIndex(self.leader, names)
        self.heads = StreamHeads(self.leader, names, self.withdrawals)
