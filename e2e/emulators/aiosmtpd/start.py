"""Starts aiosmtpd on 127.0.0.1, and tells each mail that it takes as one line of JSON.

Python's own parser reads the mails, so that it judges what we write. A mailbox's
name says how the server treats it: `busy…` is put off once (451), `gone…` is
refused (550), and of `silent…` a mail is taken once without an answer: the
connection ends. It ends when its standard input ends.

usage: start.py PORT plain|starttls|smtps [USER:PASSWORD]
"""

import asyncio
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP, AuthResult

SEEN = set()


def first(mailbox):
    """Whether a mailbox is met for the first time."""
    met = mailbox in SEEN
    SEEN.add(mailbox)
    return not met


def body(message, kind):
    part = message.get_body(preferencelist=(kind,))
    return part.get_content() if part else ""


def tell(server, session, envelope):
    message = message_from_bytes(envelope.content, policy=policy.default)
    print(
        json.dumps(
            {
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "headers": [[name, str(value)] for name, value in message.items()],
                "text": body(message, "plain"),
                "html": body(message, "html"),
                "defects": [str(defect) for part in message.walk() for defect in part.defects],
                "encrypted": session.ssl is not None or MODE == "smtps",
                "user": session.auth_data,
            }
        ),
        flush=True,
    )


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("gone"):
            return "550 5.1.1 no such mailbox"
        if address.startswith("busy") and first(address):
            return "451 4.3.0 not now"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        tell(server, session, envelope)
        if envelope.rcpt_tos[0].startswith("silent") and first(envelope.rcpt_tos[0]):
            server.transport.abort()
        return "250 OK"


def certificate():
    """A certificate for 127.0.0.1, that nobody but the test trusts."""
    folder = tempfile.mkdtemp(prefix="meydan-test-")
    key, path = os.path.join(folder, "key.pem"), os.path.join(folder, "certificate.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    command += ["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", path]
    subprocess.run(command, check=True, capture_output=True)
    return path, key


def end_with_standard_input():
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


def authenticator(user, password):
    def check(server, session, envelope, mechanism, data):
        right = (data.login, data.password) == (user.encode(), password.encode())
        if right:
            session.auth_data = user
        return AuthResult(success=right, handled=False, auth_data=user if right else None)

    return check


async def main(port):
    options = {"hostname": "127.0.0.1", "enable_SMTPUTF8": True}
    context, path = None, ""
    if MODE != "plain":
        path, key = certificate()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(path, key)
    if MODE == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    if len(sys.argv) > 3:
        check = authenticator(*sys.argv[3].split(":", 1))
        options |= {"authenticator": check, "auth_required": True, "auth_require_tls": False}
    serve = asyncio.get_running_loop().create_server
    over = context if MODE == "smtps" else None
    server = await serve(lambda: SMTP(Handler(), **options), "127.0.0.1", port, ssl=over)
    print(f"Running on 127.0.0.1:{port} {path}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    MODE = sys.argv[2] if len(sys.argv) > 2 else "plain"
    threading.Thread(target=end_with_standard_input, daemon=True).start()
    asyncio.run(main(int(sys.argv[1])))
