#!/bin/sh
# Installs and starts a foreign server on 127.0.0.1. It ends when its
# standard input ends, so keep that open: start.sh NAME PORT < some-pipe.
#
# usage: start.sh lo-bot-api-emulator PORT [JOURNAL]
#        start.sh telegram-test-api PORT
#        start.sh aiosmtpd PORT plain|starttls|smtps [USER:PASSWORD]
set -eu

here=$(cd "$(dirname "$0")" && pwd)
name=${1:?usage: start.sh NAME PORT}
port=${2:?usage: start.sh NAME PORT}
shift 2
target=${MEYDAN_TOOLS:-$here/../../.meydan/tools}/$name

"$here/install.sh" "$name"
case $name in
aiosmtpd)
    PYTHONPATH=$target PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
        exec "${PYTHON:-python3}" "$here/$name/start.py" "$port" "$@"
    ;;
lo-bot-api-emulator)
    set -- --port "$port" --enable-control --allow-insecure-loopback-webhooks \
        ${1:+--journal "$1"}
    PYTHONPATH=$target PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
        exec "${PYTHON:-python3}" "$here/$name/start.py" "$@"
    ;;
telegram-test-api)
    NODE_PATH=$target/node_modules exec node "$here/$name/start.js" "$port"
    ;;
esac
