/** The replacement that is posted to a worker for an object that contains functions. */

/**
 * The first property of an object that cannot be cloned. `structuredClone` and `postMessage` read the properties in
 * order and throw at the first that cannot be cloned, which must therefore be this one. V8 prints it: `DataCloneError:
 * Symbol(a model contains functions: post save(model), …) could not be cloned.`
 */
export interface NotCloneable {
  /** The replacement that is posted, as the description of a symbol. */
  readonly postInstead?: symbol;
}

/** The first property of an object of the given kind. */
export const postInstead = (kind: string, remedy: string): NotCloneable => ({
  postInstead: Symbol(`${kind} contains functions: post ${remedy}`),
});

/** The first property of a model that can be saved. */
export const modelNotCloneable: NotCloneable = /* @__PURE__ */ postInstead(
  'a model',
  'save(model), and call load in the worker',
);
