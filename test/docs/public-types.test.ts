/** Programs can name the types of the public API, and pass on options that are undefined. */

import ts from 'typescript';
import { expect, it } from 'vitest';
import { programOf, src } from './program';

const entries = ['index', 'pytorch', 'keras', 'onnx', 'worker/index', 'forecasting/index', 'node/index'];
const files = entries.map((entry) => `${src}${entry}.ts`);
const program = programOf([...files, `${src}node/node-builtins.d.ts`]);
const checker = program.getTypeChecker();
const resolved = (symbol: ts.Symbol): ts.Symbol =>
  symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
const exported = new Set(
  files.flatMap((file) =>
    checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)!)!).map(resolved),
  ),
);

/** The declarations that callers see: of a function with overloads, not its implementation. */
const declarations = [...exported].flatMap(({ declarations: all = [] }) =>
  all.filter((one) => all.length === 1 || !ts.isFunctionDeclaration(one) || one.body === undefined),
);

/** Calls `visit` for the nodes of declarations, without values and the bodies of functions. */
function forEachNode(node: ts.Node, visit: (node: ts.Node) => void): void {
  if (ts.isBlock(node) || (ts.isExpression(node) && !ts.isExpressionWithTypeArguments(node))) return;
  visit(node);
  ts.forEachChild(node, (child) => forEachNode(child, visit));
}

/**
 * The types in public declarations that are not exported, and why no program needs their names: they are parts of
 * opaque objects, base interfaces, or aliases for which TypeScript writes what they stand for.
 */
const unexported = {
  internals: ['Call', 'Kernel', 'Memory', 'Operands', 'Resident', 'Step', 'Storage', 'Workspace'],
  bases: ['CellCommon', 'Complete', 'NotCloneable', 'SignatureOptions'],
  aliases: ['DecoderTree', 'ExternalData', 'NoInfer', 'NodeParameters', 'ScoreParameters', 'Unit', 'WeightedSteps'],
};

it('types in public declarations are exported, except internals', () => {
  const missing = new Set<string>();
  for (const declaration of declarations)
    forEachNode(declaration, (node) => {
      if (!ts.isTypeReferenceNode(node) && !ts.isExpressionWithTypeArguments(node)) return;
      const symbol = checker.getSymbolAtLocation(ts.isTypeReferenceNode(node) ? node.typeName : node.expression);
      const type = symbol && resolved(symbol);
      const isOurs = type?.declarations?.some((one) => one.getSourceFile().fileName.startsWith(src));
      if (isOurs && !(type!.flags & ts.SymbolFlags.TypeParameter) && !exported.has(type!)) missing.add(type!.name);
    });
  expect([...missing].sort()).toEqual(Object.values(unexported).flat().sort());
});

it('options may be undefined, also with exactOptionalPropertyTypes', () => {
  const strict: string[] = [];
  let count = 0;
  const check = (owner: string, node: ts.Node): void =>
    forEachNode(node, (property) => {
      if (!ts.isPropertySignature(property) || !property.questionToken) return;
      const { flags, types = [] } = checker.getTypeAtLocation(property.type!) as ts.UnionType;
      const isDefined = !types.some((type) => type.flags & ts.TypeFlags.Undefined);
      count++;
      // `never` excludes a name.
      if (isDefined && !(flags & ts.TypeFlags.Never)) strict.push(`${owner}.${property.name.getText()}`);
    });
  const named = /(Options|^Batch|^StreamSteps|^CellInitializers|^KerasNames|Parameters)$/;
  for (const declaration of declarations)
    if (ts.isInterfaceDeclaration(declaration) && named.test(declaration.name.text))
      check(declaration.name.text, declaration);
    else if (ts.isFunctionDeclaration(declaration))
      for (const parameter of declaration.parameters) check(declaration.name!.text, parameter);
  expect(count).toBeGreaterThan(200);
  expect(strict).toEqual([]);
});
