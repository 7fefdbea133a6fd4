/** From one writing to another: dates to ISO, and verses from English to Spanish. */

import type { Example } from '../example';
import { dates } from './dates';
import { verses } from './verses';

export const translation: Example = async (setting) => ({ ...(await dates(setting)), ...(await verses(setting)) });
