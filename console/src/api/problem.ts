/** One finding of a problem document: where, and which rule was broken. */
export interface Finding {
  readonly location: string;
  readonly message: string;
}

/** A refused or failed call, as an RFC 9457 problem document. */
export class Problem extends Error {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly findings: readonly Finding[];

  constructor(status: number, title: string, detail: string, findings: readonly Finding[] = []) {
    super(detail || title);
    this.name = 'Problem';
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.findings = findings;
  }
}

const statusTitles: Readonly<Record<number, string>> = {
  400: 'The request was not understood',
  401: 'Not let in',
  403: 'Not allowed',
  404: 'Not found',
  409: 'Conflict',
  412: 'Changed by someone else',
  422: 'The input was refused',
  429: 'Too busy',
  503: 'Not available',
};

// Reason phrases of HTTP say nothing to people that the status does not say better.
const reasonPhrases: ReadonlySet<string> = new Set([
  'Bad Request',
  'Unauthorized',
  'Forbidden',
  'Not Found',
  'Precondition Failed',
  'Unprocessable Entity',
  'Too Many Requests',
  'Internal Server Error',
  'Service Unavailable',
]);

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Reads a problem document; a body that is none still gives a useful problem. */
export function problemFrom(status: number, body: unknown): Problem {
  const fallback = statusTitles[status] ?? (status >= 500 ? 'The service failed' : `Status ${String(status)}`);
  if (!isRecord(body)) {
    return new Problem(status, fallback, typeof body === 'string' ? body.slice(0, 300) : '');
  }
  const errors = Array.isArray(body['errors']) ? body['errors'] : [];
  const findings = errors.filter(isRecord).map((entry) => ({
    location: text(entry['location']).replace(/^body\.?/, ''),
    message: text(entry['message']),
  }));
  const title = text(body['title']);
  // A detail that only repeats the findings would be read twice.
  const detail = text(body['detail']);
  const repeated = findings.length > 0 && findings.every((finding) => detail.includes(finding.message));
  return new Problem(status, title === '' || reasonPhrases.has(title) ? fallback : title, repeated ? '' : detail, findings);
}

/** Turns whatever was thrown into a problem; status 0 means that no answer came. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof TypeError) {
    return new Problem(0, 'No answer from the service', 'The connection failed. It is tried again by itself.');
  }
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return new Problem(0, 'No answer in time', 'The service did not answer within a minute.');
  }
  return new Problem(0, 'Something went wrong', error instanceof Error ? error.message : String(error));
}
