#!/usr/bin/env bash
# Packs the library, installs the tarball in an empty project, and uses it as its users do. Needs `npm run build` before.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT

tarball=$(cd "$root" && npm pack --silent --pack-destination "$project")
cp "$here"/use.* "$project"
cd "$project"
echo '{ "name": "consumer", "private": true }' > package.json
npm install --silent --no-audit --no-fund "./$tarball"
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

# Nothing runs at import: what is imported and not used leaves nothing behind.
echo "import 'bptt';" > empty.mjs
size=$("$root/node_modules/.bin/esbuild" empty.mjs --bundle --minify --format=esm --log-level=error | wc -c)
echo "a bundle that imports bptt and uses nothing: $size bytes"
test "$size" -lt 50
echo "export { valueAndGradient } from 'bptt';" > one.mjs
size=$("$root/node_modules/.bin/esbuild" one.mjs --bundle --minify --format=esm --log-level=error | gzip -9 | wc -c)
echo "a bundle with valueAndGradient alone, gzipped: $size bytes"
echo 'package: import, require, node16 and bundler types all work'
