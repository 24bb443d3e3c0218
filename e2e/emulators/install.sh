#!/bin/sh
# Installs a foreign server, of Telegram or of mail, or an authenticator, pinned by hash, below .meydan/tools.
# Does nothing when that was done before with the same pins.
#
# usage: install.sh aiosmtpd|lo-bot-api-emulator|pyotp|telegram-test-api
set -eu

here=$(cd "$(dirname "$0")" && pwd)
name=${1:?usage: install.sh aiosmtpd|lo-bot-api-emulator|pyotp|telegram-test-api}
tools=${MEYDAN_TOOLS:-$here/../../.meydan/tools}
target=$tools/$name

case $name in
aiosmtpd | lo-bot-api-emulator | pyotp) pins=$here/$name/requirements.txt ;;
telegram-test-api) pins=$here/$name/package-lock.json ;;
*)
    echo "install.sh: nothing is called $name" >&2
    exit 2
    ;;
esac

mkdir -p "$tools"
# One at a time: tests run in several processes.
exec 9>"$tools/$name.lock"
flock 9
if [ -f "$target/installed" ] && cmp -s "$pins" "$target/installed"; then
    exit 0
fi

rm -rf "$target"
mkdir -p "$target"
case $name in
aiosmtpd | lo-bot-api-emulator | pyotp)
    "${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --no-input \
        --root-user-action ignore --require-hashes --only-binary :all: \
        --target "$target" --requirement "$pins" >&2
    ;;
telegram-test-api)
    cp "$here/$name/package.json" "$here/$name/package-lock.json" "$target/"
    npm ci --prefix "$target" --ignore-scripts --no-audit --no-fund --loglevel=error >&2
    ;;
esac
cp "$pins" "$target/installed"
