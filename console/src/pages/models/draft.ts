import type { ModelBody, ModelDefinition, ModelFamily } from '../../api/models';

/** A model as the form holds it. */
export interface ModelDraft {
  readonly name: string;
  readonly family: ModelFamily;
  readonly horizonDays: number;
  readonly activeDays: number;
  readonly value: string;
  readonly segments: string;
  readonly referrer: string;
  readonly experiment: string;
  readonly control: string;
  readonly treatments: string;
  readonly outcome: 'purchase' | 'value';
  readonly cost: number;
  readonly channel: string;
  readonly paused: boolean;
  readonly autoPromote: boolean;
}

export const emptyDraft: ModelDraft = {
  name: '',
  family: 'churn',
  horizonDays: 30,
  activeDays: 180,
  value: '',
  segments: '',
  referrer: '',
  experiment: '',
  control: 'control',
  treatments: '',
  outcome: 'purchase',
  cost: 0,
  channel: '',
  paused: false,
  autoPromote: true,
};

/** The draft of a definition; what the form does not show is kept by [bodyOf]. */
export function draftOf(definition: ModelDefinition): ModelDraft {
  return {
    name: definition.name ?? '',
    family: definition.family,
    horizonDays: definition.horizonDays ?? emptyDraft.horizonDays,
    activeDays: definition.activeDays ?? emptyDraft.activeDays,
    value: definition.value ?? '',
    segments: (definition.segments ?? []).join(', '),
    referrer: definition.referrer ?? '',
    experiment: definition.experiment ?? '',
    control: definition.control ?? emptyDraft.control,
    treatments: (definition.treatments ?? []).join(', '),
    outcome: definition.outcome ?? 'purchase',
    cost: definition.cost ?? 0,
    channel: definition.channel ?? '',
    paused: definition.paused ?? false,
    autoPromote: definition.autoPromote ?? false,
  };
}

const words = (text: string) => [...new Set(text.split(/[\s,]+/).filter((word) => word !== ''))];

/** What is sent; kept is the definition as it was, whose other fields stay. */
export function bodyOf(draft: ModelDraft, kept?: ModelBody): ModelBody {
  const { family, horizonDays, activeDays, paused, autoPromote } = draft;
  const body: ModelBody = { ...kept, family, horizonDays, activeDays, paused, autoPromote };
  const text = (field: 'name' | 'value' | 'referrer' | 'experiment' | 'control' | 'channel', used: boolean) => {
    const value = draft[field].trim();
    if (used && value !== '') body[field] = value;
    else delete body[field];
  };
  text('name', true);
  text('value', family === 'lifetime' || family === 'uplift');
  text('referrer', family === 'lifetime');
  text('channel', family === 'send-time');
  text('experiment', family === 'uplift');
  text('control', family === 'uplift');
  if (family === 'lifetime' && words(draft.segments).length > 0) body.segments = words(draft.segments);
  else delete body.segments;
  if (family === 'uplift') {
    body.treatments = words(draft.treatments);
    body.outcome = draft.outcome;
    body.cost = draft.cost;
  } else {
    delete body.treatments;
    delete body.outcome;
    delete body.cost;
  }
  return body;
}
