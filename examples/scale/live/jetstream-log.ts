/** A log in NATS JetStream. */

import { JetStreamApiError, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection, nanos } from '@nats-io/transport-node';
import type { EventLog } from './event-log';

/** The error code of JetStream for a condition on the last sequence that does not hold. */
const wrongLastSequence = [10071, 10164];

/** The time after which a request without a response is an error, in ms. */
const timeout = 3000;

/** Connects to a server, as often as necessary. */
export const connectTo = (url: string): Promise<NatsConnection> =>
  connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 250, waitOnFirstConnect: true, timeout: 5000 });

/**
 * Opens the log, and creates its streams if they do not exist: one for events, one for results. JetStream writes to the
 * disk before it acknowledges a message, and flushes the disk every two minutes by default (`sync_interval`): a
 * message survives the end of the server, but a loss of power only on several servers, or with `sync_interval: always`.
 */
export async function jetstreamLog(connection: NatsConnection): Promise<EventLog> {
  const manager = await jetstreamManager(connection, { timeout });
  const id = await createStream(manager, 'EVENTS', 'events.>');
  await createStream(manager, 'RESULTS', 'results.>');
  const js = jetstream(connection, { timeout });
  const streamOf = (subject: string): string => (subject.startsWith('events.') ? 'EVENTS' : 'RESULTS');
  return {
    id,
    async append(subject, data, { after, id } = {}) {
      try {
        const { seq } = await js.publish(subject, data, {
          ...(after !== undefined && { expect: { lastSubjectSequence: after } }),
          ...(id !== undefined && { msgID: id }),
        });
        return seq;
      } catch (error) {
        if (error instanceof JetStreamApiError && wrongLastSequence.includes(error.code)) return undefined;
        throw error;
      }
    },
    async last(subject) {
      const message = await manager.streams.getMessage(streamOf(subject), { last_by_subj: subject });
      return message ? { position: message.seq, data: message.data } : undefined;
    },
    async read(subject, after, receive) {
      // An ordered consumer notices gaps, and starts again after the last message that it has received.
      const consumer = await js.consumers.get(streamOf(subject), {
        filter_subjects: subject,
        opt_start_seq: after + 1,
        deliver_policy: 'by_start_sequence',
      });
      const messages = await consumer.consume({ max_messages: 500, idle_heartbeat: 1000, expires: 5000 });
      const done = (async () => {
        for await (const message of messages) await receive({ position: message.seq, data: message.data });
      })();
      return async () => {
        await messages.close();
        await done;
      };
    },
    close: () => connection.drain(),
  };
}

/** Creates a stream if it does not exist. @returns the time of its creation */
async function createStream(manager: JetStreamManager, name: string, subjects: string): Promise<string> {
  const options = { name, subjects: [subjects], duplicate_window: nanos(10 * 60_000), allow_direct: false };
  const { created } = await manager.streams.add(options);
  return created;
}
