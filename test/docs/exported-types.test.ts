/** Programs that emit declarations can name the types of the public API. */

import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { root } from './examples';

const src = fileURLToPath(new URL('src/', root));
const entries = ['index', 'pytorch', 'keras', 'onnx', 'worker/index', 'forecasting/index', 'node/index'];

/**
 * The types in public declarations that are not exported, and why no program needs their names: they are parts
 * of opaque objects, base interfaces, or aliases for which TypeScript writes what they stand for.
 */
const unexported = {
  internals: ['Call', 'Kernel', 'Memory', 'Operands', 'Resident', 'Step', 'Storage', 'Workspace'],
  bases: ['CellCommon', 'NotCloneable', 'SignatureOptions'],
  aliases: ['DecoderTree', 'ExternalData', 'NoInfer', 'NodeParameters', 'ScoreParameters', 'Unit'],
};

it('types in public declarations are exported, except internals', () => {
  const files = entries.map((entry) => `${src}${entry}.ts`);
  const program = ts.createProgram([...files, `${src}node/node-builtins.d.ts`], {
    strict: true,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts'],
    types: [],
    noEmit: true,
  });
  const checker = program.getTypeChecker();
  const resolved = (symbol: ts.Symbol): ts.Symbol =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const exported = new Set(
    files.flatMap((file) =>
      checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)!)!).map(resolved),
    ),
  );
  const missing = new Set<string>();
  const visit = (node: ts.Node): void => {
    // Values and the bodies of functions are not part of declarations.
    if (ts.isBlock(node) || (ts.isExpression(node) && !ts.isExpressionWithTypeArguments(node))) return;
    if (ts.isTypeReferenceNode(node) || ts.isExpressionWithTypeArguments(node)) {
      const symbol = checker.getSymbolAtLocation(ts.isTypeReferenceNode(node) ? node.typeName : node.expression);
      const type = symbol && resolved(symbol);
      const isOurs = type?.declarations?.some((declaration) => declaration.getSourceFile().fileName.startsWith(src));
      if (isOurs && !(type!.flags & ts.SymbolFlags.TypeParameter) && !exported.has(type!)) missing.add(type!.name);
    }
    ts.forEachChild(node, visit);
  };
  for (const { declarations = [] } of exported)
    for (const declaration of declarations) {
      // Callers see the overloads of a function, not its implementation.
      const isImplementation = ts.isFunctionDeclaration(declaration) && declaration.body !== undefined;
      if (!isImplementation || declarations.length === 1) visit(declaration);
    }
  expect([...missing].sort()).toEqual(Object.values(unexported).flat().sort());
});
