#!/usr/bin/env bash
# Packs the library, installs the tarball in an empty project, and uses it as its users do. Needs `npm run build` before.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT

tarball=$(cd "$root" && npm pack --silent --pack-destination "$project")
cp "$here"/use.* "$here"/entries.mjs "$project"
cd "$project"
echo '{ "name": "consumer", "private": true }' > package.json
# Offline: it would fail if the package had a dependency.
npm install --silent --offline --no-audit --no-fund "./$tarball"
test "$(ls node_modules)" = bptt

node use.mjs
node use.cjs

tsc="$root/node_modules/typescript/bin/tsc"
strict="--strict --noEmit --target es2022 --lib es2022 --types --skipLibCheck false --exactOptionalPropertyTypes --noUncheckedIndexedAccess"
for file in use.mts use.cts; do
  node "$tsc" $strict --module node16 --moduleResolution node16 "$file"
done
cp use.mts bundled.ts
node "$tsc" $strict --module esnext --moduleResolution bundler bundled.ts

# Nothing runs at import. Bundled as files, so that the package's sideEffects: false cannot hide what would.
mkdir files
cp node_modules/bptt/dist/*.js files
for entry in index pytorch keras onnx node; do
  echo "import './files/$entry.js';" > empty.mjs
  kept=$("$root/node_modules/.bin/esbuild" empty.mjs --bundle --minify --format=esm --platform=node --log-level=error | sed -E 's#import"node:[a-z/]+";##g')
  if [ -n "$kept" ]; then
    echo "package: importing $entry.js and using nothing should leave nothing behind, a bundle keeps: ${kept:0:400}" >&2
    exit 1
  fi
done
echo "export { valueAndGradient } from 'bptt';" > one.mjs
# Foreign formats are in their own entry points: a program that loads dist/index.js unbundled does not download them.
loads() { # the files that an entry loads, itself among them
  "$root/node_modules/.bin/esbuild" "files/$1.js" --bundle --format=esm --platform=node --log-level=error --metafile=meta.json --outfile=/dev/null --tree-shaking=false
  node -p 'Object.keys(JSON.parse(fs.readFileSync("meta.json")).inputs).join(" ")'
}
loaded=$(loads index)
if grep -qE 'importOnnx|readHdf5|fromPyTorch' $loaded; then
  echo 'package: dist/index.js loads a foreign format' >&2
  exit 1
fi
echo "dist/index.js and what it loads: $(cat $loaded | wc -c) bytes"
size=$("$root/node_modules/.bin/esbuild" one.mjs --bundle --minify --format=esm --log-level=error | gzip -9 | wc -c)
echo "a bundle with valueAndGradient alone, gzipped: $size bytes"
echo 'package: import, require, node16 and bundler types all work'
