"""Errors of requests to other workers. They state whether the other worker may have handled the request."""

from typing import ClassVar


class WorkerError(Exception):
    """A request to another worker failed."""

    is_outcome_unknown: ClassVar[bool] = False
    """Whether the other worker may have handled the request, or may still handle it."""


class WorkerUnavailable(WorkerError):
    """The worker cannot be reached: the request was not sent."""


class WorkerEnded(WorkerUnavailable):
    """No process listens on the socket of the worker: it has ended, or has not started. The request was not sent."""


class RequestNotHandled(WorkerUnavailable):
    """The worker does not handle this kind of request: it is still starting, or has other code."""


class WorkerLost(WorkerError):
    """The connection ended before the response: the worker was probably killed. The outcome is unknown."""

    is_outcome_unknown = True


class WorkerTimeout(WorkerError):
    """The worker has not responded in time. The outcome is unknown."""

    is_outcome_unknown = True


class RequestFailed(WorkerError):
    """The worker has received the request, and its handler raised an error. The outcome is what the handler did."""

    is_outcome_unknown = True
