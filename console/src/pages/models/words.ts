import type { ModelFamily, ModelJob, ModelMetrics } from '../../api/models';
import { fixed, percent, significant } from '../../format/number';

/** What a family of models tells, for a list and for its form. */
export const families: Readonly<Record<ModelFamily, { readonly name: string; readonly question: string }>> = {
  churn: { name: 'Churn', question: 'Who will not buy within the horizon?' },
  'next-purchase': { name: 'Next purchase', question: 'Who will buy within the horizon?' },
  lifetime: { name: 'Lifetime value', question: 'How often will people buy, and for how much?' },
  uplift: { name: 'Uplift', question: 'What does a treatment of an experiment change?' },
  'send-time': { name: 'Send time', question: 'At which local hour are messages answered?' },
};

function isFamily(text: string): text is ModelFamily {
  return text in families;
}

export const familyName = (family: string): string => (isFamily(family) ? families[family].name : family);
export const familyQuestion = (family: string): string => (isFamily(family) ? families[family].question : '');

/** How a run stands, in words. */
export function jobWords(job: Pick<ModelJob, 'kind' | 'endedAt' | 'error' | 'result' | 'stage' | 'progress'>): string {
  if (job.endedAt === undefined) {
    const what = job.kind === 'train' ? 'training' : 'scoring';
    return job.stage === undefined || job.stage === '' ? what : `${what}: ${job.stage}, ${percent(job.progress, 0)}`;
  }
  return job.error !== undefined && job.error !== '' ? job.error : (job.result ?? '');
}

/** How far features have moved, by the bounds that the population stability index is read with. */
export function driftVerdict(psi: number): { readonly word: string; readonly tone: 'better' | 'warning' | 'worse' } {
  if (psi > 0.25) return { word: 'train anew', tone: 'worse' };
  return psi > 0.1 ? { word: 'worth a look', tone: 'warning' } : { word: 'as in training', tone: 'better' };
}

/** Calibration in a sentence. */
export function calibrationWords({ error, noise, slope }: NonNullable<ModelMetrics['reliability']>): string {
  const verdict = error <= noise ? 'no more than chance would do' : 'more than chance would do';
  return `Off by ${fixed(error, 3)} on average, ${verdict} (${fixed(noise, 3)}); slope ${fixed(slope, 2)}.`;
}

/** A label of the features in the training set: daysSinceLastOrder is "days since last order". */
export function featureWords(column: string): string {
  return column
    .replace(/([a-z])([A-Z0-9])/g, '$1 $2')
    .replace(/([0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .replace(/ (\d+)$/, ', last $1 days');
}

/** Which way a reason moves a score, and by how much in log-odds. */
export function reasonMark(effect: number): string {
  return `${effect > 0 ? '+' : ''}${significant(effect, 2)}`;
}
