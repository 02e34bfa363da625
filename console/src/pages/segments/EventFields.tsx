import { Autocomplete, Button, CloseButton, NativeSelect, TextInput } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { instantOperators, numberOperators, propertyOperators } from './operators';
import type { EventNode, Measure, SequenceNode, Step, Test, Where, Window } from './rule';
import { SpanField } from './SpanField';
import { Amount, DateField, TestFields } from './TestFields';

const measures = [
  { value: 'did', label: 'did it' },
  { value: 'didNot', label: 'did not do it' },
  { value: 'times', label: 'so many times' },
  { value: 'exactly', label: 'exactly so many times' },
  { value: 'aggregate', label: 'by a property’s sum or average' },
  { value: 'first', label: 'by the first time' },
  { value: 'last', label: 'by the last time' },
] as const;

const functions = [
  { value: 'sum', label: 'the sum of' },
  { value: 'average', label: 'the average of' },
  { value: 'min', label: 'the smallest' },
  { value: 'max', label: 'the largest' },
];

function measureOf(kind: (typeof measures)[number]['value']): Measure {
  switch (kind) {
    case 'did':
    case 'didNot':
      return { kind };
    case 'times':
      return { kind, atLeast: 2, atMost: null };
    case 'exactly':
      return { kind, times: 1 };
    case 'aggregate':
      return { kind, function: 'sum', property: 'revenue', test: { op: 'gte', value: 100, ignoreCase: false } };
    default:
      return { kind, test: { op: 'withinLast', value: '30d', ignoreCase: false } };
  }
}

interface EventFieldsProps<T> {
  readonly node: T;
  readonly events: readonly string[];
  readonly onChange: (node: T) => void;
}

/** A condition on what a person did. */
export function EventFields({ node, events, onChange }: EventFieldsProps<EventNode>) {
  const { measure } = node;
  const measured = (next: Measure) => {
    onChange({ ...node, measure: next });
  };
  return (
    <div className="q-rule-event">
      <div className="q-rule-fields">
        <EventName
          value={node.event}
          events={events}
          onChange={(event) => {
            onChange({ ...node, event });
          }}
        />
        <NativeSelect
          aria-label="What is asked of the event"
          value={measure.kind}
          data={[...measures]}
          onChange={(event) => {
            const kind = measures.find(({ value }) => value === event.currentTarget.value)?.value ?? 'did';
            measured(measureOf(kind));
          }}
        />
        {measure.kind === 'times' && (
          <>
            <span className="q-muted">at least</span>
            <Amount
              label="At least"
              value={measure.atLeast}
              onChange={(atLeast) => {
                measured({ ...measure, atLeast });
              }}
            />
            <span className="q-muted">at most</span>
            <Amount
              label="At most"
              value={measure.atMost}
              onChange={(atMost) => {
                measured({ ...measure, atMost });
              }}
            />
          </>
        )}
        {measure.kind === 'exactly' && (
          <Amount
            label="Times"
            value={measure.times}
            onChange={(times) => {
              measured({ ...measure, times });
            }}
          />
        )}
        {measure.kind === 'aggregate' && (
          <>
            <NativeSelect
              aria-label="Function"
              value={measure.function}
              data={functions}
              onChange={(event) => {
                measured({ ...measure, function: event.currentTarget.value });
              }}
            />
            <TextInput
              aria-label="Property"
              w={130}
              value={measure.property}
              onChange={(event) => {
                measured({ ...measure, property: event.currentTarget.value });
              }}
            />
            <TestFields
              test={measure.test}
              operators={numberOperators}
              onChange={(test) => {
                measured({ ...measure, test });
              }}
            />
          </>
        )}
        {(measure.kind === 'first' || measure.kind === 'last') && (
          <TestFields
            test={measure.test}
            operators={instantOperators}
            onChange={(test) => {
              measured({ ...measure, test });
            }}
          />
        )}
      </div>
      <WindowFields
        window={node.window}
        onChange={(window) => {
          onChange({ ...node, window });
        }}
      />
      <WhereFields
        where={node.where}
        onChange={(where) => {
          onChange({ ...node, where });
        }}
      />
    </div>
  );
}

/** Two to five events, one after the other. */
export function SequenceFields({ node, events, onChange }: EventFieldsProps<SequenceNode>) {
  const exchange = (place: number, step: Step | undefined) => {
    onChange({ ...node, steps: node.steps.flatMap((each, other) => (other !== place ? [each] : step === undefined ? [] : [step])) });
  };
  return (
    <div className="q-rule-event">
      <ol className="q-rule-steps">
        {node.steps.map((step, place) => (
          // Steps have no names: the place is what tells them apart.
          <li key={place}>
            <div className="q-rule-fields">
              <EventName
                value={step.event}
                events={events}
                onChange={(event) => {
                  exchange(place, { ...step, event });
                }}
              />
              {node.steps.length > 2 && (
                <CloseButton
                  size="sm"
                  aria-label={`Remove step ${(place + 1).toString()}`}
                  onClick={() => {
                    exchange(place, undefined);
                  }}
                />
              )}
            </div>
            <WhereFields
              where={step.where}
              onChange={(where) => {
                exchange(place, { ...step, where });
              }}
            />
          </li>
        ))}
      </ol>
      <div className="q-rule-fields">
        {node.steps.length < 5 && (
          <Button
            size="compact-xs"
            variant="subtle"
            leftSection={<IconPlus size={13} />}
            onClick={() => {
              onChange({ ...node, steps: [...node.steps, { event: '', where: [] }] });
            }}
          >
            Step
          </Button>
        )}
        <span className="q-muted">all within</span>
        <SpanField
          label="Within"
          value={node.within}
          onChange={(within) => {
            onChange({ ...node, within });
          }}
        />
      </div>
      <WindowFields
        window={node.window}
        onChange={(window) => {
          onChange({ ...node, window });
        }}
      />
    </div>
  );
}

interface EventNameProps {
  readonly value: string;
  readonly events: readonly string[];
  readonly onChange: (event: string) => void;
}

function EventName({ value, events, onChange }: EventNameProps) {
  return <Autocomplete aria-label="Event" placeholder="Name of the event" className="q-rule-value" data={[...events]} value={value} onChange={onChange} />;
}

const windows = [
  { value: 'always', label: 'at any time' },
  { value: 'last', label: 'in the last' },
  { value: 'between', label: 'between days' },
] as const;

function WindowFields({ window, onChange }: { readonly window: Window; readonly onChange: (window: Window) => void }) {
  return (
    <div className="q-rule-fields">
      <NativeSelect
        aria-label="When"
        value={window.kind}
        data={[...windows]}
        onChange={(event) => {
          const kind = event.currentTarget.value;
          onChange(kind === 'last' ? { kind, span: '30d' } : kind === 'between' ? { kind, from: '', to: '' } : { kind: 'always' });
        }}
      />
      {window.kind === 'last' && (
        <SpanField
          label="In the last"
          value={window.span}
          onChange={(span) => {
            onChange({ kind: 'last', span });
          }}
        />
      )}
      {window.kind === 'between' && (
        <>
          <DateField
            label="From, in UTC"
            value={window.from}
            onChange={(from) => {
              onChange({ ...window, from });
            }}
          />
          <span className="q-muted">until, not included</span>
          <DateField
            label="Until, in UTC"
            value={window.to}
            onChange={(to) => {
              onChange({ ...window, to });
            }}
          />
        </>
      )}
    </div>
  );
}

const emptyTest: Test = { op: 'eq', value: '', ignoreCase: false };

function WhereFields({ where, onChange }: { readonly where: readonly Where[]; readonly onChange: (where: readonly Where[]) => void }) {
  const exchange = (place: number, filter: Where | undefined) => {
    onChange(where.flatMap((each, other) => (other !== place ? [each] : filter === undefined ? [] : [filter])));
  };
  return (
    <div className="q-rule-where">
      {where.map((filter, place) => (
        <div key={place} className="q-rule-fields">
          <span className="q-muted">{place === 0 ? 'where' : 'and'}</span>
          <TextInput
            aria-label="Property of the event"
            placeholder="products[].category"
            w={170}
            value={filter.property}
            onChange={(event) => {
              exchange(place, { ...filter, property: event.currentTarget.value });
            }}
          />
          <TestFields
            test={filter.test}
            operators={propertyOperators}
            onChange={(test) => {
              exchange(place, { ...filter, test });
            }}
          />
          <CloseButton
            size="sm"
            aria-label="Remove this filter"
            onClick={() => {
              exchange(place, undefined);
            }}
          />
        </div>
      ))}
      <Button
        size="compact-xs"
        variant="subtle"
        leftSection={<IconPlus size={13} />}
        onClick={() => {
          onChange([...where, { property: '', test: emptyTest }]);
        }}
      >
        Filter by a property
      </Button>
    </div>
  );
}
