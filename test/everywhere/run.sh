#!/usr/bin/env bash
# Runs the packed library in engines, browsers, bundlers, compilers and test runners, on Linux x64. Run `npm run build`
# first. `bash test/everywhere/run.sh long` also runs what takes too long for every change, and writes docs/everywhere.md.
set -euo pipefail
cd "$(dirname "$0")/../.."
mode=${1:-short}

npm ci --prefix test/everywhere --ignore-scripts --silent

# Installs a package of the system.
install() {
  if command -v apt-get > /dev/null && [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "$1"
  else
    echo "everywhere: $1 is not installed, and installing it takes root and apt-get" >&2
  fi
}

# Installs a browser if none of these programs exists. Without the permission to do so, the tests in this browser are
# skipped, or fail in CI.
install_browser() { # package program…
  local program
  for program in "$@"; do
    if command -v "$program" > /dev/null; then return; fi
  done
  install "$1"
}
install_browser chromium chromium-browser google-chrome google-chrome-stable
install_browser firefox-esr firefox
# Node.js 26 needs a library that not every system has.
if ! test/everywhere/node_modules/node26/bin/node --version > /dev/null 2>&1; then install libatomic1; fi

node=test/everywhere/node_modules/node24/bin/node
rm -rf test/everywhere/build/rows
EVERYWHERE=$mode "$node" node_modules/vitest/vitest.mjs run --config test/everywhere/vitest.config.ts
if [ "$mode" = long ]; then "$node" test/everywhere/report.ts; fi
