import { describe, expect, it } from 'vitest';
import { Problem, asProblem, problemFrom } from './problem';

describe('problemFrom', () => {
  it('keeps title, detail and the fields that were refused', () => {
    const problem = problemFrom(422, {
      title: 'Unprocessable Entity',
      status: 422,
      detail: 'validation failed',
      errors: [{ location: 'body.variants[1].weight', message: 'weights must sum to 1', value: 0.6 }],
    });
    expect(problem.title).toBe('The input was refused');
    expect(problem.detail).toBe('validation failed');
    expect(problem.findings).toEqual([{ location: 'variants[1].weight', message: 'weights must sum to 1' }]);
  });

  it('keeps a title that says more than the status, and does not say findings twice', () => {
    const problem = problemFrom(409, {
      title: 'Already running',
      detail: 'body.key must be unique.',
      errors: [{ location: 'body.key', message: 'must be unique' }],
    });
    expect(problem.title).toBe('Already running');
    expect(problem.detail).toBe('');
  });

  it.each([
    [502, '<html>bad gateway</html>', 'The service failed'],
    [404, undefined, 'Not found'],
    [418, null, 'Status 418'],
    [429, {}, 'Too busy'],
    [500, { title: 7, errors: 'none' }, 'The service failed'],
  ])('gives a title for status %i without a problem document', (status, body, title) => {
    const problem = problemFrom(status, body);
    expect(problem.title).toBe(title);
    expect(problem.status).toBe(status);
    expect(problem.findings).toEqual([]);
  });

  it('leaves out findings that are not objects', () => {
    expect(problemFrom(422, { errors: ['x', null, { message: 'm' }] }).findings).toEqual([
      { location: '', message: 'm' },
    ]);
  });
});

describe('asProblem', () => {
  it('passes a problem through', () => {
    const problem = new Problem(409, 'Conflict', '');
    expect(asProblem(problem)).toBe(problem);
  });
  it('says that no answer came when the connection failed', () => {
    expect(asProblem(new TypeError('Failed to fetch')).status).toBe(0);
  });
  it('says that no answer came in time', () => {
    expect(asProblem(new DOMException('aborted', 'TimeoutError')).title).toBe('No answer in time');
  });
  it('keeps the message of any other error', () => {
    expect(asProblem(new Error('boom')).detail).toBe('boom');
    expect(asProblem('odd').detail).toBe('odd');
  });
});
