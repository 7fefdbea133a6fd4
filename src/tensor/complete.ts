/** As `Required`, but no value may be `undefined` either. */
export type Complete<T> = { readonly [K in keyof T]-?: Exclude<T[K], undefined> };
