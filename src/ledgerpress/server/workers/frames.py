"""Frames of the channel between workers: a length of four bytes, then a message in MessagePack."""

from collections.abc import Iterator
from typing import Final

import msgspec

PROTOCOL: Final = 1
"""The version of the frames. Workers with another version do not talk to one another."""
MAX_FRAME_BYTES: Final = 256 * 1024 * 1024
"""The length of the longest frame. It bounds the memory that a peer can ask for."""
_LENGTH_BYTES: Final = 4


class Hello(msgspec.Struct, array_like=True, frozen=True, tag="hello"):
    """The first frame in both directions: the number of the sender, and the version of its frames."""

    worker: int
    protocol: int = PROTOCOL


class Request(msgspec.Struct, array_like=True, frozen=True, tag="request"):
    """A request, to which the receiver responds with the same number."""

    number: int
    kind: str
    payload: bytes


class Response(msgspec.Struct, array_like=True, frozen=True, tag="response"):
    """The result of a request."""

    number: int
    payload: bytes


class Failure(msgspec.Struct, array_like=True, frozen=True, tag="failure"):
    """The error of a request whose handler failed, or which has no handler."""

    number: int
    message: str
    has_handler: bool = True


class Broadcast(msgspec.Struct, array_like=True, frozen=True, tag="broadcast"):
    """A message without a response."""

    kind: str
    payload: bytes


Frame = Hello | Request | Response | Failure | Broadcast

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final[msgspec.msgpack.Decoder[Frame]] = msgspec.msgpack.Decoder(Frame)


class BadFrame(Exception):
    """The bytes are not frames of this version."""


def encoded(frame: Frame) -> bytes:
    """Return a frame with its length. Raises `ValueError` if it is too long."""
    buffer = bytearray(_LENGTH_BYTES)
    _encoder.encode_into(frame, buffer, _LENGTH_BYTES)
    length = len(buffer) - _LENGTH_BYTES
    if length > MAX_FRAME_BYTES:
        raise ValueError(f"a message between workers has {length:,} bytes; the limit is {MAX_FRAME_BYTES:,}")
    buffer[:_LENGTH_BYTES] = length.to_bytes(_LENGTH_BYTES, "big")
    return bytes(buffer)


class FrameReader:
    """Puts frames together from the pieces in which a socket delivers them."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that are complete with `data`. Raises `BadFrame`."""
        buffer = self._buffer
        buffer += data
        start = 0
        try:
            while len(buffer) - start >= _LENGTH_BYTES:
                begin = start + _LENGTH_BYTES
                length = int.from_bytes(buffer[start:begin], "big")
                if length > MAX_FRAME_BYTES:
                    raise BadFrame(f"a frame of {length:,} bytes is too long")
                if len(buffer) - begin < length:
                    break
                frame = bytes(memoryview(buffer)[begin : begin + length])
                start = begin + length
                try:
                    yield _decoder.decode(frame)
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    raise BadFrame(str(error)) from error
        finally:
            del buffer[:start]
