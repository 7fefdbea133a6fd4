/** Objects in JSON. */

import { isObject } from '../tensor/shape';
import type { Json } from './description';

/** An object in JSON, neither an array nor null. */
export type JsonObject = Readonly<Record<string, Json>>;

/** Whether a value of JSON, or `undefined`, is an object. */
export const isJsonObject = (json: unknown): json is JsonObject => isObject(json) && !Array.isArray(json);
