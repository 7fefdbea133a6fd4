#!/usr/bin/env bash
# Tests the example with real servers, on Linux. Run `npm run build` first. `bash examples/scale/test/run.sh long` runs
# with more data, and for longer; `… figures` measures the figures of the guide.
set -euo pipefail
cd "$(dirname "$0")/../../.."

npm ci --prefix examples --ignore-scripts --silent
npm ci --prefix examples/scale --ignore-scripts --silent
npx tsc --noEmit -p examples/scale

# Installs servers from the packages of the system if they are missing. The packages must not start them.
missing=()
for program in redis-server nats-server; do
  command -v "$program" > /dev/null || missing+=("$program")
done
ls /usr/lib/postgresql/*/bin/postgres > /dev/null 2>&1 || missing+=(postgresql)
if [ ${#missing[@]} -gt 0 ]; then
  if command -v apt-get > /dev/null && [ "$(id -u)" = 0 ]; then
    policy=/usr/sbin/policy-rc.d
    [ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod +x "$policy" && trap "rm $policy" EXIT; }
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 \
      "${missing[@]}"
  else
    echo "scale: ${missing[*]} not installed, and installing takes root and apt-get" >&2
    exit 1
  fi
fi

# pg-boss needs Node.js 22.12 or later.
node=node
if ! node -e 'process.exit(Number(process.versions.node.split(".")[0] < 23))'; then
  node=test/everywhere/node_modules/node24/bin/node
  [ -x "$node" ] || npm ci --prefix test/everywhere --ignore-scripts --silent
fi
mode=${1:-short}
# Nothing else runs while figures are measured.
files=()
if [ "$mode" = figures ]; then files=(figures); fi
SCALE_TESTS=$mode "$node" node_modules/vitest/vitest.mjs run --config examples/scale/test/vitest.config.ts \
  ${files[@]+"${files[@]}"}
