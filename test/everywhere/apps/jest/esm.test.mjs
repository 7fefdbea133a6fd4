import * as bptt from 'bptt';
import checks from './checks.js';

checks('ES modules', bptt);
