#!/usr/bin/env bash
# Creates .venv with the pinned requirements and this package in editable mode. Needs nothing but Python >= 3.11.
# Does nothing, quickly and offline, when a stamp in .venv shows that the same requirements are already in.
set -euo pipefail
cd "$(dirname "$0")/.."
stamp=.venv/.kinesight-setup

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

fingerprint() {
  # The place counts because scripts and the editable install name it; tool settings do not need a new set-up.
  { pwd; cat requirements/*.txt scripts/setup.sh; sed '/^\[tool\.ruff/,$d' pyproject.toml; } | cksum
}

is_new_enough() {
  "$@" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
  if [ -n "${PYTHON:-}" ]; then
    is_new_enough "$PYTHON" || fail "PYTHON=$PYTHON does not run or is older than 3.11."
    echo "$PYTHON"
    return
  fi
  local candidate
  for candidate in python3.11 python3.12 python3.13 python3 python; do # 3.11 first: what the results were measured on
    if is_new_enough "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  fail "Kinesight needs Python 3.11 or newer; found: $(python3 --version 2>&1 || true)" \
    "Debian 12, Ubuntu 24.04 or newer: sudo apt-get install python3 python3-venv" \
    "Ubuntu 22.04:                     sudo apt-get install python3.11 python3.11-venv" \
    "Installed elsewhere?              make setup PYTHON=/path/to/python3.11"
}

create_venv() {
  local python version package
  python=$(find_python)
  rm -rf .venv
  if "$python" -c 'import ensurepip, venv' 2>/dev/null && "$python" -m venv .venv >/dev/null 2>&1; then return; fi
  rm -rf .venv # what a failed attempt left
  if uv --version >/dev/null 2>&1 && uv venv --quiet --no-config --python "$python" .venv; then return; fi
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  package=python$version-venv
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "Installing system package: $package"
    apt_get update -qq || true # an outdated list may still do
    apt_get install -y -qq --no-install-recommends "$package" && "$python" -m venv .venv && return
  fi
  rm -rf .venv
  fail "$python cannot create virtual environments. Please install its venv module, then run this again:" \
    "  Debian, Ubuntu: sudo apt-get install $package"
}

apt_get() {
  local output
  output=$(DEBIAN_FRONTEND=noninteractive apt-get "$@" 2>&1 </dev/null) || { tail -n 3 <<<"$output" >&2; return 1; }
}

install_packages() {
  local python=.venv/bin/python quiet=--quiet
  [ -t 2 ] && quiet= # progress for people, silence for logs
  $python -m pip --version >/dev/null 2>&1 || $python -m ensurepip >/dev/null 2>&1 || true
  [ -x .venv/bin/uv ] || $python -m pip install --quiet --disable-pip-version-check uv 2>/dev/null || true
  if PATH="$PWD/.venv/bin:$PATH" uv --version >/dev/null 2>&1; then
    if with_uv $quiet -r requirements/dev.txt && with_uv $quiet --no-deps -e .; then return; fi
    echo "uv did not succeed; trying pip." >&2
  fi
  $python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
  $python -m pip install --quiet --disable-pip-version-check --no-deps -e .
}

with_uv() {
  local system_certificates=false # uv brings its own list; behind a company's proxy only the system's is complete
  [ -s /etc/ssl/certs/ca-certificates.crt ] && system_certificates=true
  # Newer and older versions of uv spell this setting differently.
  UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-$system_certificates} UV_NATIVE_TLS=${UV_NATIVE_TLS:-$system_certificates} \
    UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-300} PATH="$PWD/.venv/bin:$PATH" \
    uv pip install --python .venv/bin/python "$@"
}

# Without a renderer much still works, so missing system packages only warn, at each call until they are there.
if [ -f "$stamp" ] && [ "$(<"$stamp")" = "$(fingerprint)" ] && [ -x .venv/bin/python ]; then
  scripts/system_packages.sh --any || true
  exit 0
fi

started=$SECONDS
if [ -d .venv ]; then echo "Updating .venv ..."; else
  echo "Setting up .venv; the first time this downloads about 3 GB, most of it PyTorch ..."
fi
scripts/system_packages.sh || true
is_new_enough .venv/bin/python || create_venv
install_packages
fingerprint >"$stamp"
echo "Ready: $(.venv/bin/python --version) in .venv after $((SECONDS - started)) s."
