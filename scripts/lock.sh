#!/usr/bin/env bash
# Resolves pyproject.toml into requirements/core.txt, dev.txt and, for the extras, hub.txt and viewer.txt. One set for all supported Pythons.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
command -v uv >/dev/null || { echo "make lock needs uv: .venv/bin/python -m pip install uv" >&2; exit 1; }
export UV_CUSTOM_COMPILE_COMMAND="make lock"
if [ -s /etc/ssl/certs/ca-certificates.crt ]; then # as in setup.sh
  export UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-true} UV_NATIVE_TLS=${UV_NATIVE_TLS:-true}
fi

compile() {
  uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --fork-strategy fewest \
    --no-annotate "$@"
}

compile -c requirements/pins.in -o requirements/core.txt "$@"
compile -c requirements/core.txt --extra dev --extra chat -o requirements/dev.txt "$@"
compile -c requirements/dev.txt --extra hub -o requirements/hub.txt "$@"
compile -c requirements/dev.txt --extra viewer -o requirements/viewer.txt "$@"
