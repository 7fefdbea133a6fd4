#!/usr/bin/env bash
# Installs the packed library in an empty project and uses it as strangers do: by import, by require, from strict TypeScript under node16
# and bundler resolution, and through a bundler. Needs a build (npm run build) and no network.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
bin="$root/node_modules/.bin"
project="$(mktemp -d)"
trap 'rm -rf "$project"' EXIT

fail() {
  echo "package test: $*" >&2
  exit 1
}

[ -f "$root/dist/index.js" ] || fail 'there is no dist/; run npm run build first.'
(cd "$root" && npm pack --silent --ignore-scripts --pack-destination "$project" > /dev/null)
cd "$project"
mv bptt-*.tgz bptt.tgz
echo '{ "name": "consumer", "private": true }' > package.json
# Offline: a dependency of the package would fail here.
npm install --silent --offline --no-audit --no-fund ./bptt.tgz
[ "$(ls node_modules)" = 'bptt' ] || fail "only bptt should be installed, got: $(ls node_modules | tr '\n' ' ')"

# No DOM and no Node types, and the package's own declarations are checked too.
strict=(--strict --noUncheckedIndexedAccess --exactOptionalPropertyTypes --skipLibCheck false --target ES2022 --lib ES2022 --types '')
cp "$here/consumer.ts" esm.mts
cp "$here/consumer.ts" common.cts
cp "$here/consumer.ts" bundled.ts
"$bin/tsc" "${strict[@]}" --module node16 --moduleResolution node16 esm.mts common.cts || fail 'node16 resolution does not compile.'
"$bin/tsc" "${strict[@]}" --module esnext --moduleResolution bundler --noEmit bundled.ts || fail 'bundler resolution does not compile.'
grep -q "from 'bptt'" esm.mjs || fail 'esm.mjs should import the library.'
grep -q 'require("bptt")' common.cjs || fail 'common.cjs should require the library.'
node esm.mjs || fail 'the program fails by import.'
node common.cjs || fail 'the program fails by require.'

# Nothing runs at import. Bundled as files, so that the package's sideEffects: false cannot hide what would.
mkdir files
cp node_modules/bptt/dist/*.js files/
for entry in index node; do
  echo "import './files/$entry.js';" > nothing.js
  nothing="$("$bin/esbuild" nothing.js --bundle --minify --format=esm --platform=neutral)"
  [ -z "$nothing" ] || fail "importing $entry.js should run nothing, yet a bundle keeps: ${nothing:0:400}"
done
echo "export { valueAndGradient } from 'bptt';" > one.js
echo "export * from 'bptt';" > all.js
for entry in one all; do "$bin/esbuild" "$entry.js" --bundle --minify --format=esm --platform=neutral --log-level=warning > "$entry.min.js"; done
echo "package test: passed; a bundle of valueAndGradient takes $(wc -c < one.min.js) bytes, of everything $(wc -c < all.min.js)"
