import { Checkbox, NativeSelect, NumberInput, TagsInput, TextInput } from '@mantine/core';
import { fittingValue, operatorWords, type OperatorWords } from './operators';
import type { Test } from './rule';
import { SpanField } from './SpanField';

interface TestFieldsProps {
  readonly test: Test;
  readonly operators: readonly OperatorWords[];
  readonly onChange: (test: Test) => void;
}

/** How a value is compared, and with what. */
export function TestFields({ test, operators, onChange }: TestFieldsProps) {
  const { form } = operatorWords(test.op);
  return (
    <>
      <NativeSelect
        aria-label="Comparison"
        className="q-rule-op"
        value={test.op}
        data={(operators.some(({ op }) => op === test.op) ? operators : [operatorWords(test.op), ...operators]).map(({ op, words }) => ({ value: op, label: words }))}
        onChange={(event) => {
          const op = event.currentTarget.value;
          onChange({ ...test, op, value: fittingValue(operatorWords(op).form, test.value) });
        }}
      />
      <ValueField
        test={test}
        onChange={(value) => {
          onChange({ ...test, value });
        }}
      />
      {(form === 'text' || form === 'list' || (form === 'scalar' && typeof test.value === 'string')) && (
        <Checkbox
          className="q-rule-case"
          size="xs"
          label="any case"
          checked={test.ignoreCase}
          onChange={(event) => {
            onChange({ ...test, ignoreCase: event.currentTarget.checked });
          }}
        />
      )}
    </>
  );
}

interface ValueFieldProps {
  readonly test: Test;
  readonly onChange: (value: unknown) => void;
}

const scalarTypes = [
  { value: 'string', label: 'text' },
  { value: 'number', label: 'number' },
  { value: 'boolean', label: 'yes or no' },
];

function ValueField({ test, onChange }: ValueFieldProps) {
  const { value } = test;
  switch (operatorWords(test.op).form) {
    case 'none':
      return null;
    case 'span':
      return <SpanField label="Span" value={typeof value === 'string' ? value : ''} onChange={onChange} />;
    case 'date':
      return <DateField label="Date" value={typeof value === 'string' ? value : ''} onChange={onChange} />;
    case 'number':
      return <Amount label="Value" value={value} onChange={onChange} />;
    case 'pair': {
      const [from, to] = Array.isArray(value) ? (value as unknown[]) : [];
      return (
        <>
          <Amount
            label="From"
            value={from}
            onChange={(next) => {
              onChange([next, to ?? null]);
            }}
          />
          <span className="q-muted">and</span>
          <Amount
            label="To"
            value={to}
            onChange={(next) => {
              onChange([from ?? null, next]);
            }}
          />
        </>
      );
    }
    case 'list':
      return <ListField label="Values" value={value} onChange={onChange} />;
    case 'scalar':
      return (
        <>
          <NativeSelect
            aria-label="Type of the value"
            value={typeof value === 'number' || value === null ? 'number' : typeof value === 'boolean' ? 'boolean' : 'string'}
            data={scalarTypes}
            onChange={(event) => {
              const type = event.currentTarget.value;
              const number = Number(value);
              onChange(type === 'boolean' ? true : type === 'number' ? (value !== '' && Number.isFinite(number) ? number : null) : String(value ?? ''));
            }}
          />
          {typeof value === 'boolean' ? (
            <NativeSelect
              aria-label="Value"
              value={value ? 'yes' : 'no'}
              data={['yes', 'no']}
              onChange={(event) => {
                onChange(event.currentTarget.value === 'yes');
              }}
            />
          ) : typeof value === 'number' || value === null ? (
            <Amount label="Value" value={value} onChange={onChange} />
          ) : (
            <Text value={value} onChange={onChange} />
          )}
        </>
      );
    default:
      return <Text value={value} onChange={onChange} />;
  }
}

function Text({ value, onChange }: { readonly value: unknown; readonly onChange: (value: string) => void }) {
  return (
    <TextInput
      aria-label="Value"
      className="q-rule-value"
      value={typeof value === 'string' ? value : ''}
      onChange={(event) => {
        onChange(event.currentTarget.value);
      }}
    />
  );
}

interface AmountProps {
  readonly label: string;
  readonly value: unknown;
  readonly onChange: (value: number | null) => void;
}

/** A number, or null while there is none. */
export function Amount({ label, value, onChange }: AmountProps) {
  return (
    <NumberInput
      aria-label={label}
      w={96}
      hideControls
      value={typeof value === 'number' ? value : ''}
      onChange={(next) => {
        const number = typeof next === 'number' ? next : next === '' ? Number.NaN : Number(next);
        onChange(Number.isFinite(number) ? number : null);
      }}
    />
  );
}

interface ListFieldProps {
  readonly label: string;
  readonly value: unknown;
  readonly onChange: (value: unknown[]) => void;
}

/** A list of texts, or of numbers where all that was there were numbers. */
export function ListField({ label, value, onChange }: ListFieldProps) {
  const values = Array.isArray(value) ? (value as unknown[]) : [];
  const numbers = values.length > 0 && values.every((each) => typeof each === 'number');
  return (
    <TagsInput
      aria-label={label}
      className="q-rule-list"
      placeholder={values.length === 0 ? 'Type one, then Enter' : ''}
      acceptValueOnBlur
      value={values.map(String)}
      onChange={(next) => {
        const read = next.map(Number);
        onChange(numbers && read.every(Number.isFinite) ? read : next);
      }}
    />
  );
}

interface DateFieldProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

/** A day; a moment that was written as JSON stays readable as text. */
export function DateField({ label, value, onChange }: DateFieldProps) {
  return (
    <TextInput
      aria-label={label}
      type={value.length > 10 ? 'text' : 'date'}
      w={value.length > 10 ? 220 : 150}
      value={value}
      onChange={(event) => {
        onChange(event.currentTarget.value);
      }}
    />
  );
}
