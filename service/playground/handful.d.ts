/** A client of a Handful server. */

/** A text, a number, a row, pixels, or an image as base64, bytes or a Blob. */
export type Input =
  | string
  | number
  | boolean
  | null
  | Blob
  | ArrayBuffer
  | ArrayBufferView
  | readonly Input[]
  | { readonly [name: string]: Input };
/** A class or a value; numbers of a regression with several outputs; a Set or texts for several labels of one example. */
export type Label = string | number | readonly number[] | readonly string[] | ReadonlySet<string | number>;
export type Example =
  | readonly [Input, Label]
  | readonly [Input, Label, string]
  | { input: Input; label: Label; id?: string };
/** A query of no class has the label null. */
export type Query = readonly [Input, Label | null] | { input: Input; label: Label | null };

export interface Options {
  /** The API key of the tenant, if the server needs one. */
  apiKey?: string | null;
  /** Maximum retries of a request after 429 or 503. Default: 4. */
  retries?: number;
  /** Seconds to wait for each answer. Default: 60. */
  timeoutS?: number;
  /** Used in place of the global `fetch`. */
  fetch?: typeof fetch;
  /** Asked for a key after a 401. Without a key, the request is refused. */
  onUnauthorized?: (refused: string | null) => Promise<string | null>;
  /** Told of each request. */
  onCall?: (call: { method: string; path: string; body?: unknown }) => void;
}

export interface Changing {
  /** The entity tag that the client must still have. */
  ifMatch?: string;
}
export interface Removing extends Changing {
  /** Whether earlier versions keep what is removed. */
  keepHistory?: boolean;
}
export interface AdaptOptions extends Changing {
  model?: string;
  mode?: "replace" | "append";
  ttl_s?: number;
  use_label_names?: boolean;
  keep?: number;
  half_life_s?: number;
  keep_duplicates?: boolean;
  /** Seconds to keep the queries of the client, for `feedback`. */
  keep_queries_s?: number;
  quality?: boolean;
  /** Default: a new one, so that a retry changes nothing. */
  idempotencyKey?: string;
}
export interface PredictOptions {
  top_k?: number | null;
  version?: number;
  abstain?: boolean;
  coverage?: number;
  min_probability?: number;
  explain?: boolean;
  /** The probability with which an interval around each value contains the right one. Regression only. */
  interval?: number;
}

export interface Receipt {
  examples: string[];
  from_version: number;
  to_version: number;
  [more: string]: unknown;
}
export interface Warning {
  field: string;
  code: string;
  detail: string;
}
export interface Card {
  name: string;
  title: string;
  kind: "classification" | "regression";
  input: { type: string; [more: string]: unknown };
  max_ways: number | null;
  [more: string]: unknown;
}
export interface ClientInfo {
  client_id: string;
  model: string;
  version: number;
  classes: string[] | number[] | null;
  /** Whether an example may have several labels. */
  several?: boolean;
  examples: number;
  created_at: string;
  updated_at: string;
  expires_at: string | null;
  etag?: string;
}
export interface Adapted {
  client_id: string;
  model: string;
  version: number;
  classes: string[] | number[] | null;
  examples: number;
  /** How many of them have no label. */
  unlabelled?: number;
  ids: string[];
  receipt?: Receipt;
  warnings?: Warning[];
  quality?: Quality;
  etag?: string;
  [more: string]: unknown;
}
export interface Explanation {
  /** The answer, and the most probable other class; null for regression. */
  label: string | number | null;
  against: string | number | null;
  measure: "log_odds" | "votes" | "value";
  method: "exact" | "leave_one_out";
  /** A name of a class that counts as an example has no id. */
  examples: { id?: string; name?: true; label: string | number | number[]; weight: number | null }[];
  rest: number;
  base: number;
  total: number;
  input?: {
    words?: { text: string; start: number; end: number; weight: number }[];
    saliency_png?: string;
    columns?: { name: string; weight: number }[];
    numbers?: number[];
  };
}
export interface Prediction {
  /** For `feedback`, if the client keeps its queries. */
  id?: string;
  label?: string | number;
  /** Where an answer may have several. */
  labels?: string[] | number[];
  probability?: number;
  probabilities?: { [label: string]: number };
  unknown?: boolean;
  value?: number | number[];
  interval?: [number, number] | [number, number][];
  explanation?: Explanation;
  [more: string]: unknown;
}
export interface Predicted {
  client_id: string;
  model: string;
  version: number;
  predictions: Prediction[];
  /** From which probability on an answer has a label, where it may have several. */
  thresholds?: { label: string | number; at_least: number; source: string }[];
  interval?: { level: number; source: string; [more: string]: unknown };
  warnings?: Warning[];
  [more: string]: unknown;
}
export interface Suggestion {
  /** The place of the input in the request. */
  index: number;
  id?: string;
  score: number;
  label?: string | number;
  probability?: number;
  value?: number | number[];
}
export interface ExampleInfo {
  id: string;
  label?: string | number | number[];
  /** Where an example may have several. */
  labels?: string[] | number[];
  created_at: string;
  input?: unknown;
  etag?: string;
}
export interface ExamplePage {
  version: number;
  examples: ExampleInfo[];
  next_cursor: number | null;
  etag?: string;
}
export interface VersionInfo {
  version: number;
  change?: string | null;
  model?: string | null;
  classes?: string[] | number[] | null;
  examples?: number | null;
  created_at?: string | null;
  receipt?: Receipt | null;
  gone?: Receipt | null;
}
export type Counts = { label: string | number; answer: string | number; count: number }[];
export interface Quality {
  client_id: string;
  examples: number;
  not_judged: number;
  estimate: {
    method: string;
    judged: number;
    accuracy: number | null;
    interval: [number, number] | null;
    /** All counts above 0; null for many classes. */
    confusion?: Counts | null;
    [more: string]: unknown;
  } | null;
  reason: string | null;
  [more: string]: unknown;
}
export interface Evaluation {
  client_id: string;
  queries: number;
  accuracy: number | null;
  interval: [number, number] | null;
  confusion: Counts;
  [more: string]: unknown;
}

/** A refused request. */
export class HandfulError extends Error {
  constructor(status: number, problem: object, retryAfterS?: number | null);
  readonly status: number;
  /** Stable; see the list of errors in docs/api.md. */
  readonly code: string;
  /** The place in the request. */
  readonly field: string | null;
  /** What was wrong, the limit and the way out. */
  readonly detail: string;
  readonly receipt: Receipt | null;
  readonly retryAfterS: number | null;
}

export class Handful {
  constructor(url?: string | URL, options?: Options);
  models(): Promise<Card[]>;
  model(name: string): Promise<Card>;
  adapt(clientId: string, examples: readonly Example[], options?: AdaptOptions): Promise<Adapted>;
  append(clientId: string, examples: readonly Example[], options?: AdaptOptions): Promise<Adapted>;
  predict(clientId: string, inputs: readonly Input[], options?: PredictOptions): Promise<Prediction[]>;
  predictAll(clientId: string, inputs: readonly Input[], options?: PredictOptions): Promise<Predicted>;
  feedback(
    clientId: string,
    id: string,
    label: Label,
    options?: Changing & { idempotencyKey?: string },
  ): Promise<Adapted>;
  /** Add inputs without labels, from which the client learns too. */
  unlabelled(
    clientId: string,
    inputs: readonly Input[],
    options?: Changing & { ids?: readonly string[]; idempotencyKey?: string },
  ): Promise<Adapted>;
  suggest(
    clientId: string,
    inputs: readonly Input[],
    options?: { k?: number; ids?: readonly string[] },
  ): Promise<Suggestion[]>;
  clients(options?: {
    cursor?: string;
    limit?: number;
  }): Promise<{ clients: ClientInfo[]; next_cursor: string | null }>;
  client(clientId: string): Promise<ClientInfo>;
  forget(clientId: string): Promise<unknown>;
  examples(
    clientId: string,
    options?: { label?: string; cursor?: number; limit?: number; inputs?: boolean; version?: number },
  ): Promise<ExamplePage>;
  allExamples(
    clientId: string,
    options?: { label?: string; limit?: number; inputs?: boolean; version?: number },
  ): AsyncGenerator<ExampleInfo>;
  example(clientId: string, id: string, options?: { inputs?: boolean }): Promise<ExampleInfo>;
  relabel(clientId: string, id: string, label: Label, options?: Changing): Promise<Adapted>;
  remove(clientId: string, id: string, options?: Removing): Promise<Adapted>;
  renameClass(clientId: string, label: string | number, to: Label, options?: Changing): Promise<Adapted>;
  removeClass(clientId: string, label: string | number, options?: Removing): Promise<Adapted>;
  versions(clientId: string): Promise<VersionInfo[]>;
  rollback(clientId: string, version: number, options?: Changing): Promise<Adapted>;
  copy(clientId: string, to: string, options?: { version?: number }): Promise<Adapted>;
  move(clientId: string, model: string, options?: Changing): Promise<Adapted>;
  readapt(clientId: string): Promise<unknown>;
  quality(clientId: string, options?: { version?: number }): Promise<Quality>;
  evaluate(clientId: string, queries: readonly Query[], options?: { version?: number }): Promise<Evaluation>;
}
