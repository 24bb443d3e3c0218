"""Reads what an authenticator scans, as pyotp does, and shows its codes.

usage: scan.py OTPAUTH_URL SECONDS… writes the issuer, the account, and the code of each moment, a line each."""

import sys

import pyotp

url, *moments = sys.argv[1:]
scanned = pyotp.parse_uri(url)
print(scanned.issuer)
print(scanned.name)
for moment in moments:
    print(scanned.at(int(moment)))
