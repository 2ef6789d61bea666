"""Verifies an export of the audit log, written from docs/audit.md alone.

    verify_audit.py EXPORT PUBLIC_KEY_PEM [CHECKPOINT]

Says `holds N entries` and ends with 0, or what is wrong and at which line, and ends with 1.
"""

import base64
import hashlib
import json
import sys
from datetime import datetime, timedelta, timezone

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

LINE_BYTES_MAX = 65_536
FIELDS = ("principal", "role", "tenant", "uid", "action", "subject", "code", "reason", "policy_digest")


class Wrong(Exception):
    """What is wrong with the export."""


def need(holds, what):
    if not holds:
        raise Wrong(what)


def decoded(text):
    """Base64 in its only form."""
    need(isinstance(text, str), "no base64")
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as fault:
        raise Wrong("no base64") from fault
    need(base64.b64encode(data).decode() == text, "base64 in another form")
    return data


def written(content):
    """The one way to write a line."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def cbor_item(data, at):
    """The item at a place, and the place behind it: numbers, bytes, texts, arrays and null, in definite lengths."""
    need(at < len(data), "the record is cut")
    kind, small, at = data[at] >> 5, data[at] & 31, at + 1
    if (kind, small) == (7, 22):
        return None, at
    if small >= 24:
        need(small <= 27, "the record holds something else")
        width = 1 << (small - 24)
        need(at + width <= len(data), "the record is cut")
        small, at = int.from_bytes(data[at : at + width], "big"), at + width
    if kind in (0, 1):
        return (small if kind == 0 else -1 - small), at
    if kind in (2, 3):
        part, end = data[at : at + small], at + small
        need(len(part) == small, "the record is cut")
        return (bytes(part) if kind == 2 else part.decode()), end
    need(kind == 4, "the record holds something else")
    items = []
    for _ in range(small):
        item, at = cbor_item(data, at)
        items.append(item)
    return items, at


def readable(sequence, record, link):
    """What an entry says, from its record."""
    need(record[:2] == b"\x01\x01", "a record of another kind or version")
    items, _end = cbor_item(record[2:], 0)
    need(isinstance(items, list) and len(items) <= 10, "the record is no entry")
    items += [None] * (10 - len(items))
    at = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=items[0])
    values = dict(zip(FIELDS, items[1:]))
    if values["policy_digest"] is not None:
        values["policy_digest"] = values["policy_digest"].hex()
    entry = {"sequence": sequence, "at": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
    for name in ("principal", "role", "tenant", "uid", "action", "subject"):
        entry[name] = values[name]
    entry["outcome"] = "allowed" if values["code"] is None else "refused"
    for name in ("code", "reason", "policy_digest"):
        entry[name] = values[name]
    entry["link"] = link.hex()
    return {name: value for name, value in entry.items() if value is not None}


class Tree:
    """The Merkle tree of RFC 9162: complete subtrees from the largest to the smallest."""

    def __init__(self):
        self.size, self.parts = 0, []

    def add(self, data):
        self.parts.append((1, hashlib.sha256(b"\0" + data).digest()))
        self.size += 1
        while len(self.parts) > 1 and self.parts[-1][0] == self.parts[-2][0]:
            (width, right), (_, left) = self.parts.pop(), self.parts.pop()
            self.parts.append((2 * width, hashlib.sha256(b"\x01" + left + right).digest()))

    def root(self):
        if not self.parts:
            return hashlib.sha256().digest()
        found = self.parts[-1][1]
        for _, left in reversed(self.parts[:-1]):
            found = hashlib.sha256(b"\x01" + left + found).digest()
        return found


class Verifier:
    def __init__(self, key):
        self.key = key
        self.raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.log = hashlib.sha256(b"agent-factory/audit/log\n" + self.raw).hexdigest()[:32]
        self.link, self.tree, self.signed, self.last, self.ended = bytes(32), Tree(), None, None, False
        self.before, self.kept = hashlib.sha256(), None

    def fits(self, signature, message):
        try:
            self.key.verify(signature, message)
        except InvalidSignature as fault:
            raise Wrong("a signature does not fit") from fault

    def note(self, note, others=False):
        """Size and root of a signed note."""
        text, divider, signatures = note.rpartition("\n\n")
        need(divider and note.endswith("\n"), "no signed note")
        name = "agent-factory/audit/" + self.log
        lines = text.split("\n")
        need(len(lines) == 3 and lines[0] == name, "a checkpoint of another log")
        need(lines[1].isascii() and lines[1].isdigit() and str(int(lines[1])) == lines[1], "no number of entries")
        root = decoded(lines[2])
        own = [line for line in signatures[:-1].split("\n") if line.startswith(f"\u2014 {name} ")]
        need(own and (others or [*own] == signatures[:-1].split("\n")) and len(own) == 1, "no signature of this log")
        blob = decoded(own[0].split(" ")[2])
        hint = hashlib.sha256(name.encode() + b"\n\x01" + self.raw).digest()[:4]
        need(len(blob) == 68 and blob[:4] == hint, "a signature of another key")
        self.fits(blob[4:], (text + "\n").encode())
        return int(lines[1]), root

    def line(self, line):
        need(not self.ended, "something follows the end")
        need(len(line) <= LINE_BYTES_MAX and line.endswith(b"\n"), "a line that is too long or has no end")
        content = json.loads(line.decode())
        need(isinstance(content, dict), "no object")
        if self.last is None:
            self.header(content, line)
        elif "entry" in content:
            self.entry(content, line)
        elif "checkpoint" in content:
            self.checkpoint(content, line)
        else:
            self.end(content, line)
        self.before.update(line)
        self.agree()

    def header(self, told, line):
        need(told.get("format") == "agent-factory/audit/v1", "another format")
        need(told.get("key") == base64.b64encode(self.raw).decode(), "the export of another key")
        last, at = told.get("last"), told.get("exported_at")
        need(type(last) is int and last >= 0 and isinstance(at, str), "no header")
        instant = datetime.strptime(at, "%Y-%m-%dT%H:%M:%S.%fZ")
        need(instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ") == at, "no time")
        wanted = {"format": told["format"], "log": self.log, "key": told["key"], "exported_at": at, "first": 1}
        need(written({**wanted, "last": last}) == line, "the header is not written as headers are")
        self.last = last

    def entry(self, told, line):
        sequence = self.tree.size + 1
        need(sequence <= self.last, "more entries than the header says")
        record = decoded(told.get("record"))
        need(len(record) > 2, "no record")
        data = sequence.to_bytes(8, "big") + record
        self.link = hashlib.sha256(self.link + data).digest()
        wanted = {"entry": readable(sequence, record, self.link), "record": told["record"]}
        need(written(wanted) == line, "the entry is not the one that was recorded here")
        self.tree.add(data)

    def checkpoint(self, told, line):
        need(written({"checkpoint": told["checkpoint"]}) == line, "the checkpoint is not written as checkpoints are")
        need(self.note(told["checkpoint"]) == (self.tree.size, self.tree.root()), "the checkpoint is over other entries")
        self.signed = self.tree.size

    def end(self, told, line):
        digest = self.before.digest()
        signature = told["end"]["signature"]
        wanted = {"entries": self.last, "sha256": digest.hex(), "signature": signature}
        need(written({"end": wanted}) == line, "what stands before the end is not what was signed")
        need(self.tree.size == self.last == self.signed, "entries are missing, or stand under no checkpoint")
        self.fits(decoded(signature), b"agent-factory/audit-export/v1\n" + digest)
        self.ended = True

    def agree(self):
        """With the checkpoint that was kept elsewhere."""
        if self.kept and self.kept[0] == self.tree.size:
            need(self.kept[1] == self.tree.root(), "the checkpoint that was kept is over other entries")
            self.kept = None


def main(export, pem, checkpoint=None):
    with open(pem, "rb") as file:
        key = load_pem_public_key(file.read())
    assert isinstance(key, Ed25519PublicKey), "the key is not one of Ed25519"
    verifier, number = Verifier(key), 0
    try:
        if checkpoint:
            with open(checkpoint, encoding="utf-8", newline="") as file:
                verifier.kept = verifier.note(file.read(), others=True)
        with open(export, "rb") as file:
            while line := file.readline(LINE_BYTES_MAX + 1):
                number += 1
                verifier.line(line)
        need(verifier.ended, "it has no end")
        need(verifier.kept is None, "it has fewer entries than the checkpoint that was kept")
    except (Wrong, ValueError, KeyError, TypeError, AttributeError, OverflowError) as fault:
        print(f"line {number}: {fault}")
        return 1
    print(f"holds {verifier.tree.size} entries")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
