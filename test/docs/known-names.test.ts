/** The lists of known options in checks equal the options that the types declare. */

import ts from 'typescript';
import { expect, it } from 'vitest';
import { programOf, src } from './program';

const program = programOf(ts.sys.readDirectory(src, ['.ts']));
const checker = program.getTypeChecker();

/** The names of the properties of a type, of all members if it is a union. */
function propertiesOf(type: ts.Type): readonly string[] {
  const members = type.isUnion() ? type.types : [type];
  return [...new Set(members.flatMap((member) => member.getProperties().map(({ name }) => name)))];
}

/** The list that an expression is, or that of the constant with its name; undefined for a parameter. */
function listOf(expression: ts.Expression): ts.ArrayLiteralExpression | undefined {
  if (ts.isArrayLiteralExpression(expression)) return expression;
  const symbol = checker.getSymbolAtLocation(expression);
  const origin = symbol && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const declaration = origin?.valueDeclaration;
  const value = declaration && ts.isVariableDeclaration(declaration) ? declaration.initializer : undefined;
  return value && ts.isArrayLiteralExpression(value) ? value : undefined;
}

/** The strings in the argument of a call; those of a rest of other names are given by the callers. */
const stringsIn = (argument: ts.Expression): readonly string[] =>
  (listOf(argument)?.elements ?? []).flatMap((element) => {
    if (ts.isSpreadElement(element)) return stringsIn(element.expression);
    return ts.isStringLiteral(element) ? [element.text] : [];
  });

/** The calls `checkNames(where, 'options', options, names)`, and those of functions that pass names on. */
const calls: { readonly place: string; readonly declared: readonly string[]; readonly listed: readonly string[] }[] =
  [];
const common = new Map<string, readonly string[]>();
for (const pass of ['collect', 'compare'] as const)
  for (const file of program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(src)))
    ts.forEachChild(file, function visit(node): void {
      if (ts.isCallExpression(node) && ts.isIdentifier(node.expression)) {
        const name = node.expression.text;
        const [, second, third, fourth] = node.arguments;
        const place = `${file.fileName.slice(src.length)}: ${node.getText().slice(0, 60)}`;
        const passesOn =
          fourth !== undefined &&
          listOf(fourth)?.elements.some((element) => ts.isSpreadElement(element) && !listOf(element.expression));
        if (name === 'checkNames' && second?.getText() === "'options'" && passesOn) {
          const owner = ts.findAncestor(node, ts.isFunctionDeclaration)!.name!.text;
          common.set(owner, stringsIn(fourth));
        } else if (pass === 'compare' && name === 'checkNames' && second?.getText() === "'options'")
          calls.push({ place, declared: propertiesOf(checker.getTypeAtLocation(third!)), listed: stringsIn(fourth!) });
        else if (pass === 'compare' && common.has(name))
          calls.push({
            place,
            declared: propertiesOf(checker.getTypeAtLocation(second!)),
            listed: [...common.get(name)!, ...stringsIn(third!)],
          });
      }
      ts.forEachChild(node, visit);
    });

it('the search finds the calls that check options', () => {
  expect(calls.length).toBeGreaterThan(10);
});

it.each(calls)('the names that are checked equal those of the type: $place', ({ declared, listed }) => {
  expect([...listed].sort()).toEqual([...declared].sort());
});
