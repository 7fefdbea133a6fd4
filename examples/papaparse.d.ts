// The part of Papa Parse that the examples use. @types/papaparse requires @types/node, which the examples do without:
// see src/node/node-builtins.d.ts.

declare module 'papaparse' {
  interface ParseError {
    readonly type: 'Quotes' | 'FieldMismatch';
    readonly message: string;
    /** The index of the row: among all rows for quotes, among those after the header for fields. */
    readonly row: number;
  }

  const papa: {
    parse(
      text: string,
      options: { readonly header: true; readonly delimiter: string },
    ): { readonly data: Record<string, string>[]; readonly errors: ParseError[] };
  };
  export default papa;
}
