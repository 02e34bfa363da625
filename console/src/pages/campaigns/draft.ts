import type { Campaign, CampaignBody } from '../../api/types';
import type { Basis } from './ConsentFields';

/** A campaign as the form has it: texts, empty where nothing is said. */
export interface Draft {
  readonly name: string;
  readonly decisionPoint: string;
  readonly segment: string;
  readonly without: string;
  readonly condition: string;
  readonly everybody: boolean;
  readonly basis: Basis | '';
  readonly purpose: string;
  readonly kind: 'once' | 'daily' | 'weekly' | 'monthly';
  readonly at: string;
  readonly time: string;
  readonly zone: string;
  readonly weekdays: readonly number[];
  readonly day: number;
  readonly localTime: string;
  /** What the form does not show stays as it is. */
  readonly rest: Partial<CampaignBody>;
}

export const blank: Draft = {
  name: '', decisionPoint: '', segment: '', without: '', condition: '', everybody: false, basis: '', purpose: '',
  kind: 'once', at: '', time: '09:00', zone: 'UTC', weekdays: [], day: 1, localTime: '', rest: {},
};

/** A moment as an input of the browser has it, in the reader's time zone. */
function localInput(at: string | undefined): string {
  if (at === undefined) return '';
  const moment = new Date(at);
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export function draftOf(campaign: Campaign): Draft {
  const { audience, consent, schedule } = campaign;
  return {
    name: campaign.name ?? '',
    decisionPoint: campaign.decisionPoint,
    segment: audience.segment ?? '',
    without: audience.without ?? '',
    condition: audience.condition === undefined ? '' : JSON.stringify(audience.condition, null, 2),
    everybody: audience.everybody ?? false,
    basis: consent.basis,
    purpose: consent.purpose ?? '',
    kind: schedule.kind,
    at: localInput(schedule.at),
    time: schedule.time ?? '09:00',
    zone: schedule.zone ?? 'UTC',
    weekdays: schedule.weekdays ?? [],
    day: schedule.day ?? 1,
    localTime: campaign.localTime ?? '',
    rest: {
      ...(campaign.description === undefined ? {} : { description: campaign.description }),
      ...(campaign.context === undefined ? {} : { context: campaign.context }),
    },
  };
}

/** What is wrong with a text that is to be a JSON object, empty for nothing. */
export function jsonFault(text: string): string {
  if (text.trim() === '') return '';
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? '' : 'must be a JSON object';
  } catch {
    return 'must be JSON';
  }
}

const given = <K extends string>(name: K, value: string): Partial<Record<K, string>> => (value.trim() === '' ? {} : ({ [name]: value.trim() } as Record<K, string>));

export function bodyOf(d: Draft): CampaignBody {
  const byRule = d.segment !== '' || d.condition.trim() !== '';
  return {
    ...d.rest,
    ...given('name', d.name),
    decisionPoint: d.decisionPoint,
    audience: {
      ...given('segment', d.segment),
      ...given('without', d.without),
      ...(d.condition.trim() === '' ? {} : { condition: JSON.parse(d.condition) as unknown }),
      ...(!byRule && d.everybody ? { everybody: true } : {}),
    },
    // Without a basis the service refuses it and says so.
    consent: { basis: d.basis as Basis, ...(d.basis === 'service' ? {} : given('purpose', d.purpose)) },
    schedule:
      d.kind === 'once'
        ? { kind: 'once', ...(d.at === '' ? {} : { at: new Date(d.at).toISOString() }) }
        : {
            kind: d.kind,
            time: d.time,
            zone: d.zone,
            ...(d.kind === 'weekly' ? { weekdays: [...d.weekdays] } : {}),
            ...(d.kind === 'monthly' ? { day: d.day } : {}),
          },
    ...given('localTime', d.localTime),
  };
}
