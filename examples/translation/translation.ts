/** Translates dates to ISO 8601, and verses from English to Spanish. */

import type { Example } from '../example';
import { dates } from './dates';
import { verses } from './verses';

export const translation: Example = async (options) => ({ ...(await dates(options)), ...(await verses(options)) });
