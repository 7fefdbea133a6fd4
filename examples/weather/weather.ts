/** Forecasts the weather of the next seven days, and carbon dioxide over the next twelve months. */

import type { Example } from '../example';
import { carbonDioxide } from './carbon-dioxide';
import { sevenDays } from './seven-days';

export const weather: Example = async (options) => ({
  ...(await sevenDays(options)),
  ...(await carbonDioxide(options)),
});
