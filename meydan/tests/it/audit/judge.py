"""Judges a proof of `meydan audit prove`, with nothing of Meydan: RFC 9162 with hashlib, Ed25519 with openssl.

usage: judge.py PUBLIC_KEY <proof.json; exits with 0 when the entry is in the tree that the key signed."""

import base64
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path


def verify(public, signature, text):
    """Has openssl verify an Ed25519 signature (RFC 8032); fails when it is not the key's."""
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder, name) for name in ("key", "signature", "text")}
        # RFC 8410: what a public key of Ed25519 begins with in DER.
        files["key"].write_bytes(bytes.fromhex("302a300506032b6570032100") + public)
        files["signature"].write_bytes(signature)
        files["text"].write_bytes(text)
        subprocess.run(
            ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", files["key"], "-rawin",
             "-in", files["text"], "-sigfile", files["signature"]],
            check=True, stdout=subprocess.DEVNULL,
        )


def sha256(*pieces):
    return hashlib.sha256(b"".join(pieces)).digest()


proof = json.load(sys.stdin)
key = base64.b64decode(sys.argv[1], validate=True)

# The note: text, an empty line, the signature with four bytes before it that name the key.
text, signature = proof["checkpoint"].split("\n\n")
text += "\n"
origin, size, root, _time = text.splitlines()
dash, name, signed = signature.split()
assert dash == "—" and name == origin
signed = base64.b64decode(signed, validate=True)
assert signed[:4] == sha256(origin.encode(), b"\n\x01", key)[:4], "another key"
verify(key, signed[4:], text.encode())
size, root = int(size), base64.b64decode(root, validate=True)
assert size == proof["tree_size"]

# Section 2.1.3.2.
leaf = json.loads(proof["leaf"])
assert leaf["index"] == proof["leaf_index"] < size and origin == "meydan.audit/" + leaf["tree"]
fn, sn, digest = proof["leaf_index"], size - 1, sha256(b"\x00", proof["leaf"].encode())
for step in map(bytes.fromhex, proof["path"]):
    assert sn > 0, "the way is too long"
    if fn & 1 or fn == sn:
        digest = sha256(b"\x01", step, digest)
        while not fn & 1 and fn:
            fn, sn = fn >> 1, sn >> 1
    else:
        digest = sha256(b"\x01", digest, step)
    fn, sn = fn >> 1, sn >> 1
assert sn == 0 and digest == root, "the entry is not in the tree"
