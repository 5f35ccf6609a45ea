"""Check offline that a published revision of an article is in the log of its publication.

    python3 check_proof.py PROOF.json [--head HEAD.json]

PROOF.json is the file behind “Proof that this version is in the log”. HEAD.json is a tree head of the same size, which
you stored earlier or got from someone else: the output of `ledgerpress head --json`. The script needs only Python, and
sends no requests. It follows RFC 9162, section 2.1.3.2.
"""

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any, Final

HASH: Final = re.compile("[0-9a-f]{64}")


class Invalid(Exception):
    """The proof or the tree head is not valid. The message states why."""


def read(path: str) -> dict[str, Any]:
    """Return the JSON object in a file."""
    try:
        data = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{path} is not JSON: {error}") from None
    if not isinstance(data, dict) or data.get("v") != 1:
        raise Invalid(f"{path} is not a proof or a tree head of version 1")
    return data


def hash_of(value: object, name: str) -> bytes:
    """Return the bytes of a hash in hexadecimal digits."""
    if not isinstance(value, str) or not HASH.fullmatch(value):
        raise Invalid(f"{name} is not a SHA-256 hash")
    return bytes.fromhex(value)


def number_of(proof: dict[str, Any], name: str) -> int:
    """Return a positive number of a proof."""
    value = proof.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise Invalid(f"{name} is not a positive number")
    return value


def root_of(proof: dict[str, Any]) -> str:
    """Return the root that follows from the leaf hash and the path (RFC 9162, section 2.1.3.2)."""
    leaf, last = number_of(proof, "position") - 1, number_of(proof, "size") - 1
    if leaf > last:
        raise Invalid("the position is beyond the size of the log")
    path = proof.get("path")
    if not isinstance(path, list):
        raise Invalid("the path is not a list of hashes")
    node = hash_of(proof.get("leafHash"), "leafHash")
    for text in path:
        sibling = hash_of(text, "a hash in the path")
        if not last:
            raise Invalid("the path is too long")
        if leaf & 1 or leaf == last:
            node = hashlib.sha256(b"\x01" + sibling + node).digest()
            while not leaf & 1 and leaf:
                leaf, last = leaf >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\x01" + node + sibling).digest()
        leaf, last = leaf >> 1, last >> 1
    if last:
        raise Invalid("the path is too short")
    return node.hex()


def check(proof: dict[str, Any], head: dict[str, Any] | None) -> None:
    """Raise `Invalid` unless the proof is right and agrees with the tree head, if there is one."""
    if root_of(proof) != proof.get("root"):
        raise Invalid("the leaf and the path do not lead to the root in the proof: the proof is wrong")
    if head is None:
        return
    for name in ("publication", "size", "root"):
        if proof.get(name) != head.get(name):
            hint = f"; download the proof again with ?size={head.get('size')}" if name == "size" else ""
            raise Invalid(f"the {name} of the proof differs from that of the tree head{hint}")


def main() -> None:
    """Check the proof that the command line names."""
    parser = argparse.ArgumentParser(description="Check that a published revision is in the log.")
    parser.add_argument("proof", help="the file with the proof")
    parser.add_argument("--head", help="a file with a tree head that you trust")
    arguments = parser.parse_args()
    try:
        proof = read(arguments.proof)
        head = read(arguments.head) if arguments.head else None
        check(proof, head)
    except Invalid as error:
        sys.exit(f"check_proof: {error}")
    print(f"The event at position {proof['position']} is in the log of {proof['size']} events.")
    print(f"The root is {proof['root']}.")
    if not head:
        print("Compare this root with a tree head of the same size that you trust (--head).")


if __name__ == "__main__":
    main()
