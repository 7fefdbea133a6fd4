/**
 * `NoInfer` of TypeScript 5.4, also for earlier versions: a parameter of this type does not take part in the inference
 * of `T`.
 */
export type NoInfer<T> = [T][T extends unknown ? 0 : never];
