import { serveTraining } from 'bptt/worker';

serveTraining();
