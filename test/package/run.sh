#!/usr/bin/env bash
# Packs the library, installs the tarball in an empty project, and uses it as users do. Run `npm run build` first.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT

tarball=$(cd "$root" && npm pack --silent --pack-destination "$project")
cp "$here"/use.* "$here"/entries.mjs "$here"/worker.mjs "$here"/copies.mjs "$project"
cd "$project"
echo '{ "name": "consumer", "private": true }' > package.json
# --offline: installation fails if the package has a dependency.
npm install --silent --offline --no-audit --no-fund "./$tarball"
test "$(ls node_modules)" = bptt

node use.mjs
node use.cjs
node copies.mjs

tsc="$root/node_modules/typescript/bin/tsc"
strict="--strict --noEmit --target es2022 --lib es2022 --types --skipLibCheck false"
strict="$strict --exactOptionalPropertyTypes --noUncheckedIndexedAccess"
for file in use.mts use.cts; do
  node "$tsc" $strict --module node16 --moduleResolution node16 "$file"
done
cp use.mts bundled.ts
node "$tsc" $strict --module esnext --moduleResolution bundler bundled.ts

# Engines keep a file outside ASCII in two bytes per character, and take longer to parse it.
if LC_ALL=C grep -nP '[^\x00-\x7F]' node_modules/bptt/dist/*.js node_modules/bptt/dist/*.cjs; then
  echo 'package: the files of dist must be ASCII' >&2
  exit 1
fi

# Nothing runs at import. The files are bundled without package.json, whose sideEffects: false would hide side effects.
bundle() { "$root/node_modules/.bin/esbuild" "$@" --bundle --format=esm --log-level=error; }
mkdir files
cp node_modules/bptt/dist/*.js files
for entry in index pytorch keras onnx worker forecasting node; do
  echo "import './files/$entry.js';" > empty.mjs
  kept=$(bundle empty.mjs --minify --platform=node | sed -E 's#import"node:[a-z/]+";##g')
  if [ -n "$kept" ]; then
    echo "package: a bundle that imports $entry.js and uses nothing must be empty, it has: ${kept:0:400}" >&2
    exit 1
  fi
done
echo "export { valueAndGradient } from 'bptt';" > one.mjs
# Foreign formats are in their own entry points: a program that loads dist/index.js unbundled does not download them.
loads() { # prints the files that an entry point loads, including itself
  bundle "files/$1.js" --platform=node --metafile=meta.json --outfile=/dev/null
  node -p 'Object.keys(JSON.parse(fs.readFileSync("meta.json")).inputs).join(" ")'
}
loaded=$(loads index)
if grep -qE 'importOnnx|readHdf5|fromPyTorch' $loaded; then
  echo 'package: dist/index.js loads a foreign format' >&2
  exit 1
fi
echo "dist/index.js and what it loads: $(cat $loaded | wc -c) bytes"
size=$(bundle one.mjs --minify | gzip -9 | wc -c)
echo "a bundle with only valueAndGradient, gzipped: $size bytes"
echo 'package: import, require, node16 and bundler types all work'
