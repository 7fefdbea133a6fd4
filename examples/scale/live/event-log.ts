/** The interface of a log: messages by subject, in order, that are kept and can be read again. */

/** A message of a log. */
export interface Message {
  /** The position in the log. It increases from message to message of a subject, but not by 1. */
  readonly position: number;
  readonly data: Uint8Array;
}

/** When a message is appended. */
export interface AppendOptions {
  /** Append only if the last message of the subject has this position; 0 if the subject must be empty. */
  readonly after?: number;
  /** A message with an id that has been appended is not appended again, within some minutes. */
  readonly id?: string;
}

/** A log. */
export interface EventLog {
  /** Identifies the log. A position means nothing in another log. */
  readonly id: string;
  /**
   * Appends a message.
   *
   * @returns its position; undefined if the condition `after` does not hold
   * @throws Error if it is not known whether the message was appended: the connection was lost, or the disk was full
   */
  readonly append: (subject: string, data: Uint8Array, options?: AppendOptions) => Promise<number | undefined>;
  /** The last message of a subject. */
  readonly last: (subject: string) => Promise<Message | undefined>;
  /**
   * Reads a subject from after a position on, also messages that are appended later. It waits for the promise of
   * `receive` before it passes the next message.
   *
   * @returns a function that stops reading
   */
  readonly read: (
    subject: string,
    after: number,
    receive: (message: Message) => Promise<void> | undefined,
  ) => Promise<() => Promise<void>>;
  readonly close: () => Promise<void>;
}

/** The subjects of a partition. */
export const eventsOf = (partition: number): string => `events.${partition}`;
export const resultsOf = (partition: number): string => `results.${partition}`;
