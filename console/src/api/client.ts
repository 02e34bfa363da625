import createClient from 'openapi-fetch';
import { problemFrom } from './problem';
import type { paths } from './schema';

// A page must never wait for ever: reports have a minute, as on the server.
const deadlineMs = 60_000;

function fetchWithDeadline(request: Request): Promise<Response> {
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(deadlineMs)]);
  return fetch(new Request(request, { signal }));
}

/** The client generated from the service's OpenAPI document, on this page's origin. */
export const client = createClient<paths>({ fetch: fetchWithDeadline });

interface Answer<T> {
  readonly data?: T;
  readonly error?: unknown;
  readonly response: Response;
}

/** Gives the data of a call, or throws the problem that the service answered with. */
export async function unwrap<T>(call: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await call;
  if (!response.ok) throw problemFrom(response.status, error);
  return data as T;
}
