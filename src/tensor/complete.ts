/** `Required` for options that may be `undefined`: no value is. */
export type Complete<T> = { readonly [K in keyof T]-?: Exclude<T[K], undefined> };
