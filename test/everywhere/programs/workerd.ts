/** For `workerd test`. */

import { results } from './results';

export default {
  async test(): Promise<void> {
    console.log(JSON.stringify(await results()));
  },
};
