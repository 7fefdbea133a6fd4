/** The weather of the next days, and carbon dioxide over the next year. */

import type { Example } from '../example';
import { carbonDioxide } from './carbon-dioxide';
import { sevenDays } from './seven-days';

export const weather: Example = async (setting) => {
  const days = await sevenDays(setting);
  return { ...days, ...(await carbonDioxide(setting)) };
};
