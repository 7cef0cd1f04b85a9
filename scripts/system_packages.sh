#!/usr/bin/env bash
# The simulator draws through EGL, or through OSMesa where there is no EGL. Checks whether the libraries are there and
# installs what is missing when it may (as root, or with sudo that asks no password). Silent when all is well;
# otherwise says what to install and exits with 1. With --any, one of the two ways to draw is enough.
set -euo pipefail

[ "$(uname -s)" = Linux ] || exit 0 # macOS and Windows bring their own renderer

has_library() {
  # Read into a variable: with pipefail, `ldconfig | grep -q` fails when grep closes the pipe early.
  local libraries
  libraries=$({ PATH="$PATH:/sbin:/usr/sbin" ldconfig -p || true; } 2>/dev/null)
  grep -qF -- "$1" <<<"$libraries"
}

has_mesa_driver() {
  compgen -G '/usr/lib/*/dri/swrast_dri.so' >/dev/null || compgen -G '/usr/lib*/dri/swrast_dri.so' >/dev/null ||
    compgen -G '/usr/lib/*/libgallium-*.so' >/dev/null
}

egl_works() {
  { has_library libOpenGL.so.0 || has_library libGL.so.1; } || return 1 # PyOpenGL looks its functions up there
  has_library libEGL.so.1 && { has_library libEGL_nvidia.so.0 || { has_library libEGL_mesa.so.0 && has_mesa_driver; }; }
}

can_draw() {
  egl_works || has_library libOSMesa.so.8
}

missing() {
  egl_works || echo libegl1 libegl-mesa0 libgl1-mesa-dri libopengl0
  has_library libOSMesa.so.8 || echo libosmesa6
}

[ "${1:-}" = --any ] && can_draw && exit 0
packages=$(missing | xargs)
[ -n "$packages" ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root=(sudo -n); else as_root=(false); fi
fi

if command -v apt-get >/dev/null && [ "${as_root[0]:-}" != false ]; then
  echo "Installing system packages for rendering: $packages"
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  install() { ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get "$@" >>"$log" 2>&1 </dev/null; }
  install update -qq || true # an outdated list may still do
  for package in $packages; do # one by one: newer distributions no longer have OSMesa
    install install -y -qq --no-install-recommends "$package" || true
  done
  can_draw || tail -n 5 "$log" >&2
fi

can_draw && exit 0
cat >&2 <<EOF
Rendering libraries are missing, so the simulators cannot draw. Please install them:
  Debian, Ubuntu: sudo apt-get install $packages
  Fedora:         sudo dnf install mesa-libEGL mesa-dri-drivers libglvnd-opengl mesa-libOSMesa
EOF
exit 1
